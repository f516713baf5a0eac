import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  type LocalRateLimitDescriptor,
  VhRateLimitsOptions,
  XRateLimitHeadersRFCVersion as XHeaders,
} from '../../../../api/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js'
import {
  type LocalRateLimit,
  LocalRateLimitSchema,
} from '../../../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import type { Origin } from '../../../../api/origin.ts'
import type { RateLimitPlan, VirtualHostLimits } from '../../../limits/rate-limit.ts'
import { compileTokenBucket, type TokenBucketPlan } from '../../../limits/token-bucket.ts'
import { compileFractionOrNever } from '../../../plan/compile/common.ts'
import { compileMutation } from '../../../plan/compile/mutations.ts'
import { compileRateLimits } from '../../../plan/compile/rate-limits.ts'
import type { HeaderMutation } from '../../../plan/header-mutations.ts'
import type { Fraction } from '../../../plan/plan.ts'
import { refuse } from '../../../plan/plan-error.ts'
import type { RuleOrigins } from '../../rbac/policy.ts'

export interface LocalRateLimitConfig {
  readonly name: string
  readonly status: number
  /** Who is under no descriptor takes from this one, and others too where `alwaysTakesDefault`. */
  readonly bucket: LimitPlan | undefined
  readonly alwaysTakesDefault: boolean
  /** Those without wildcards first, as they are looked for. */
  readonly descriptors: readonly DescriptorPlan[]
  /** The filter's own, which take the place of those of routes; undefined: those of routes. */
  readonly rateLimits: readonly RateLimitPlan[] | undefined
  readonly virtualHostLimits: VirtualHostLimits
  readonly stage: number
  /** undefined: always. */
  readonly enabled: Fraction | undefined
  readonly enforced: Fraction | undefined
  readonly isPerConnection: boolean
  readonly writesLimitHeaders: boolean
  readonly writesRetryAfter: boolean
  readonly grpcStatus: number
  readonly responseHeaders: HeaderMutation
  readonly requestHeaders: HeaderMutation
  readonly counters: Counters
  readonly origin: Origin | undefined
}

/** Their names, which are not below those of the connection manager. */
export interface Counters {
  readonly enabled: string
  readonly enforced: string
  readonly ok: string
  readonly rateLimited: string
  readonly shadowMode: string
}

export interface LimitPlan {
  readonly bucket: TokenBucketPlan
  /** What RateLimit-Policy says of it. */
  readonly policy: string
  readonly policyName: string
}

export interface DescriptorPlan extends LimitPlan {
  readonly keys: readonly string[]
  /** '' stands for any value, each of which has a bucket of its own. */
  readonly values: readonly string[]
  readonly isWild: boolean
  /** It is only counted. */
  readonly isShadow: boolean
}

/** Envoy's. */
const DEFAULT_MAX_VALUES = 20
const MAX_VALUES = 65_536
const DEFAULT_STATUS = 429
const MAX_ADDED_HEADERS = 10
const GRPC = { unavailable: 14, resourceExhausted: 8 } as const

/** envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit, of a connection manager or of a route. */
export function compileLocalRateLimit(any: Any, path: string, origins?: RuleOrigins): LocalRateLimitConfig {
  const config = anyUnpack(any, LocalRateLimitSchema)
  if (config === undefined) return refuse(path, 'is not a LocalRateLimit')
  const { statPrefix, tokenBucket, responseHeadersToAdd, requestHeadersToAddWhenNotEnforced } = config
  if (statPrefix === '') refuse(`${path}.stat_prefix`, 'is needed')
  if (config.stage > 10) refuse(`${path}.stage`, 'at most 10')
  if (config.localClusterRateLimit !== undefined) refuse(`${path}.local_cluster_rate_limit`, 'not supported')
  refuseMany(responseHeadersToAdd, `${path}.response_headers_to_add`)
  refuseMany(requestHeadersToAddWhenNotEnforced, `${path}.request_headers_to_add_when_not_enforced`)
  const status = config.status?.code ?? 0
  const limits = compileRateLimits(config.rateLimits, `${path}.rate_limits`)
  if (limits.some(({ stage }) => stage !== 0)) refuse(`${path}.rate_limits`, 'have no stages here')
  const descriptors = compileDescriptors(config, path)
  const counter = (name: string) => `.${statPrefix}.http_local_rate_limit.${name}`
  return {
    name: statPrefix,
    // Envoy answers 429 to whatever is no error.
    status: status < 400 ? DEFAULT_STATUS : status,
    bucket: tokenBucket && limit(compileTokenBucket(tokenBucket, `${path}.token_bucket`, statPrefix), 'default'),
    alwaysTakesDefault: config.alwaysConsumeDefaultTokenBucket ?? true,
    descriptors: [...descriptors.filter((one) => !one.isWild), ...descriptors.filter((one) => one.isWild)],
    rateLimits: limits.length === 0 ? undefined : limits,
    virtualHostLimits: VIRTUAL_HOST_LIMITS[config.vhRateLimits],
    stage: config.stage,
    enabled: compileFractionOrNever(config.filterEnabled?.defaultValue),
    enforced: compileFractionOrNever(config.filterEnforced?.defaultValue),
    isPerConnection: config.localRateLimitPerDownstreamConnection,
    writesLimitHeaders: config.enableXRatelimitHeaders === XHeaders.DRAFT_VERSION_03,
    writesRetryAfter: config.enableRetryAfterHeader,
    grpcStatus: config.rateLimitedAsResourceExhausted ? GRPC.resourceExhausted : GRPC.unavailable,
    responseHeaders: compileMutation(responseHeadersToAdd, [], `${path}.response_headers`),
    requestHeaders: compileMutation(requestHeadersToAddWhenNotEnforced, [], `${path}.request_headers`),
    counters: {
      enabled: counter('enabled'),
      enforced: counter('enforced'),
      ok: counter('ok'),
      rateLimited: counter('rate_limited'),
      shadowMode: counter('shadow_mode'),
    },
    origin: origins?.get(statPrefix),
  }
}

const VIRTUAL_HOST_LIMITS = {
  [VhRateLimitsOptions.OVERRIDE]: 'override',
  [VhRateLimitsOptions.INCLUDE]: 'include',
  [VhRateLimitsOptions.IGNORE]: 'ignore',
} as const

function refuseMany(headers: readonly unknown[], path: string): void {
  if (headers.length > MAX_ADDED_HEADERS) refuse(path, `at most ${MAX_ADDED_HEADERS}`)
}

function compileDescriptors(config: LocalRateLimit, path: string): DescriptorPlan[] {
  const maxValues = config.maxDynamicDescriptors ?? DEFAULT_MAX_VALUES
  if (maxValues < 1 || maxValues > MAX_VALUES) refuse(`${path}.max_dynamic_descriptors`, `1 to ${MAX_VALUES}`)
  const taken = new Set<string>()
  return config.descriptors.map((descriptor, i) => {
    const at = `${path}.descriptors[${i}]`
    const plan = compileDescriptor(descriptor, maxValues, at)
    const key = JSON.stringify([plan.keys, plan.values])
    if (taken.has(key)) refuse(at, 'is there already')
    taken.add(key)
    return plan
  })
}

function compileDescriptor(descriptor: LocalRateLimitDescriptor, maxValues: number, path: string): DescriptorPlan {
  const { entries, tokenBucket, shadowMode: isShadow } = descriptor
  if (entries.length === 0) refuse(`${path}.entries`, 'at least one is needed')
  entries.forEach(({ key }, i) => {
    if (key === '') refuse(`${path}.entries[${i}].key`, 'is needed')
  })
  if (tokenBucket === undefined) return refuse(`${path}.token_bucket`, 'is needed')
  const keys = entries.map(({ key }) => key)
  const values = entries.map(({ value }) => value)
  const isWild = values.includes('')
  const identity = JSON.stringify([keys, values])
  const bucket = compileTokenBucket(tokenBucket, `${path}.token_bucket`, identity, isWild ? maxValues : 0)
  return { ...limit(bucket, keys.join('+')), keys, values, isWild, isShadow }
}

/** The policy in the words of draft-ietf-httpapi-ratelimit-headers: so many (`q`) in so many seconds (`w`). */
function limit(bucket: TokenBucketPlan, name: string): LimitPlan {
  const policyName = JSON.stringify(name.replace(/[^\x20-\x7e]/g, '?'))
  const windowS = Math.max(1, Math.ceil((bucket.maxTokens * bucket.tokenMs) / 1000))
  return { bucket, policyName, policy: `${policyName};q=${bucket.maxTokens};w=${windowS}` }
}
