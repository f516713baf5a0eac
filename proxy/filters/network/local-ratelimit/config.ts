import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import type { RuntimeFeatureFlag } from '../../../../api/gen/envoy/config/core/v3/base_pb.js'
import { LocalRateLimitSchema as ListenerSchema } from '../../../../api/gen/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit_pb.js'
import { LocalRateLimitSchema as NetworkSchema } from '../../../../api/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js'
import type { TokenBucket } from '../../../../api/gen/envoy/type/v3/token_bucket_pb.js'
import type { Origin } from '../../../../api/origin.ts'
import { compileTokenBucket, type TokenBucketPlan } from '../../../limits/token-bucket.ts'
import { refuse } from '../../../plan/plan-error.ts'
import type { RuleOrigins } from '../../rbac/policy.ts'

export { ListenerSchema as LISTENER_LOCAL_RATE_LIMIT, NetworkSchema as NETWORK_LOCAL_RATE_LIMIT }

/** A connection takes a token, or is closed. */
export interface ConnectionRateLimitPlan {
  readonly kind: 'local_ratelimit'
  readonly name: string
  readonly bucket: TokenBucketPlan
  readonly isEnabled: boolean
  /** Name of the counter of those that were closed. */
  readonly limited: string
  readonly origin: Origin | undefined
}

interface Fields {
  readonly statPrefix: string
  readonly tokenBucket?: TokenBucket | undefined
  readonly runtimeEnabled?: RuntimeFeatureFlag | undefined
}

/** envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit. */
export function compileNetworkRateLimit(
  any: Any,
  path: string,
  origins: RuleOrigins | undefined,
): ConnectionRateLimitPlan {
  const config = anyUnpack(any, NetworkSchema)
  if (config === undefined) return refuse(path, 'is not a LocalRateLimit')
  const plan = compile(config, 'local_rate_limit', path, origins)
  if (config.shareKey === '') return plan
  // Whoever has the key has the bucket, wherever that stands.
  const { maxTokens, tokenMs } = plan.bucket
  const id = `\0shared ${config.shareKey}\0${maxTokens}\0${tokenMs}`
  return { ...plan, bucket: { ...plan.bucket, id } }
}

/** envoy.extensions.filters.listener.local_ratelimit.v3.LocalRateLimit. */
export function compileListenerRateLimit(any: Any, path: string): ConnectionRateLimitPlan {
  const config = anyUnpack(any, ListenerSchema)
  if (config === undefined) return refuse(path, 'is not a LocalRateLimit')
  return compile(config, 'listener_local_ratelimit', path, undefined)
}

function compile(
  { statPrefix, tokenBucket, runtimeEnabled }: Fields,
  prefix: string,
  path: string,
  origins: RuleOrigins | undefined,
): ConnectionRateLimitPlan {
  if (statPrefix === '') refuse(`${path}.stat_prefix`, 'is needed')
  if (tokenBucket === undefined) return refuse(`${path}.token_bucket`, 'is needed')
  return {
    kind: 'local_ratelimit',
    name: statPrefix,
    bucket: compileTokenBucket(tokenBucket, `${path}.token_bucket`, statPrefix),
    isEnabled: runtimeEnabled?.defaultValue ?? true,
    limited: `${prefix}.${statPrefix}.rate_limited`,
    origin: origins?.get(statPrefix),
  }
}
