import type { Trace } from '../../../decide/trace.ts'
import type { TokenSource } from '../../../limits/token-bucket.ts'
import type { ConnectionRateLimitPlan } from './config.ts'

/**
 * Connections are served as far as there are tokens (envoy.filters.network.local_ratelimit, and the listener filter of that name).
 * False: this one is to be closed. `count` hears the counter.
 */
export function letsConnect(
  { bucket, isEnabled, limited, name, origin }: ConnectionRateLimitPlan,
  tokens: TokenSource,
  count: (name: string) => void,
  trace?: Trace,
): boolean {
  if (!isEnabled) return true
  const isTaken = tokens.take(bucket, '', undefined)
  const size = `a bucket of ${bucket.maxTokens}, with another token each ${Number(bucket.tokenMs.toPrecision(6))} ms`
  trace?.push({ candidate: `connection rate limit ${name}`, matched: true, reason: size, origin })
  if (!isTaken) count(limited)
  return isTaken
}
