import type { RateLimit } from '../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { LocalRateLimit as HttpLimit } from '../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import type { LocalRateLimit as NetworkLimit } from '../../api/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js'
import type { TokenBucket } from '../../api/gen/envoy/type/v3/token_bucket_pb.js'

/*
 * What proxies refuse of local rate limits. It must be found before: who refuses a limit refuses the listener that it is in. Each
 * gives the first thing that is wrong, or undefined.
 */

const MIN_INTERVAL_MS = 50
const MAX_STAGE = 10

export function httpLimitProblem(limit: HttpLimit): string | undefined {
  if (limit.statPrefix === '') return 'stat_prefix is needed'
  if (limit.stage > MAX_STAGE) return `stage: at most ${MAX_STAGE}`
  if (limit.localClusterRateLimit !== undefined) return 'local_cluster_rate_limit is not supported'
  const ownBucket = limit.tokenBucket && bucketProblem(limit.tokenBucket)
  if (ownBucket !== undefined) return `token_bucket: ${ownBucket}`
  const seen = new Set<string>()
  for (const [i, { entries, tokenBucket }] of limit.descriptors.entries()) {
    if (entries.length === 0 || entries.some(({ key }) => key === ''))
      return `descriptors[${i}]: entries with keys are needed`
    const problem = tokenBucket === undefined ? 'is needed' : bucketProblem(tokenBucket)
    if (problem !== undefined) return `descriptors[${i}].token_bucket: ${problem}`
    const key = JSON.stringify(entries.map((entry) => [entry.key, entry.value]))
    if (seen.has(key)) return `descriptors[${i}] is there already`
    seen.add(key)
  }
  const tooMany = limit.responseHeadersToAdd.length > 10 || limit.requestHeadersToAddWhenNotEnforced.length > 10
  return tooMany ? 'at most 10 headers are added' : rateLimitsProblem(limit.rateLimits)
}

export function networkLimitProblem({ statPrefix, tokenBucket }: NetworkLimit): string | undefined {
  if (statPrefix === '') return 'stat_prefix is needed'
  return tokenBucket === undefined ? 'token_bucket is needed' : bucketProblem(tokenBucket)
}

export function rateLimitsProblem(limits: readonly RateLimit[]): string | undefined {
  for (const [i, { actions, stage = 0, limit }] of limits.entries()) {
    if (actions.length === 0) return `rate_limits[${i}]: actions are needed`
    if (stage > MAX_STAGE) return `rate_limits[${i}].stage: at most ${MAX_STAGE}`
    if (limit !== undefined) return `rate_limits[${i}].limit is not supported`
    const empty = actions.findIndex(({ actionSpecifier }) => actionSpecifier.case === undefined)
    if (empty >= 0) return `rate_limits[${i}].actions[${empty}] is empty`
  }
  return undefined
}

function bucketProblem({ maxTokens, tokensPerFill, fillInterval }: TokenBucket): string | undefined {
  if (maxTokens < 1) return 'max_tokens: at least 1'
  if (tokensPerFill === 0) return 'tokens_per_fill: at least 1'
  const intervalMs = fillInterval === undefined ? 0 : Number(fillInterval.seconds) * 1000 + fillInterval.nanos / 1e6
  return intervalMs < MIN_INTERVAL_MS ? `fill_interval: at least ${MIN_INTERVAL_MS}ms` : undefined
}
