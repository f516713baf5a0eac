import type { Call } from '../../../decide/call.ts'
import { addResponseHeader, answer, countIn, type Decision } from '../../../decide/decision.ts'
import { applyMutation, changeRefusal, templateContext } from '../../../decide/mutate.ts'
import { isDrawn, isGrpc } from '../../../decide/route.ts'
import type { Trace } from '../../../decide/trace.ts'
import type { HttpFilter } from '../filter.ts'
import { compileLocalRateLimit, type DescriptorPlan, type LimitPlan, type LocalRateLimitConfig } from './config.ts'
import { MatchedLimits } from './match.ts'

/**
 * Calls are let through as far as there are tokens (envoy.filters.http.local_ratelimit). Tokens come with the call
 * (`call.tokens`), as its dice do, so that `explain` says which limits a call is under and takes none.
 */
export const localRateLimit: HttpFilter<LocalRateLimitConfig> = {
  name: 'envoy.filters.http.local_ratelimit',
  typeName: 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
  routeTypeName: 'envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit',
  compile: compileLocalRateLimit,
  compileForRoute: compileLocalRateLimit,

  judge(config, call, decision, _answer, _ofChain, trace) {
    if (!isDrawn(config.enabled, call.random)) return false
    const { counters } = config
    countIn(decision, counters.enabled)
    matched.find(config, call, decision)
    if (trace !== undefined) traceLimits(config, trace)
    const isAllowed = take(config, call)
    if (config.writesLimitHeaders && judged.limit !== undefined) writeLimitHeaders(judged.limit, decision)
    if (isAllowed) {
      if (judged.isShadowed) countIn(decision, counters.rateLimited)
      countIn(decision, judged.isShadowed ? counters.shadowMode : counters.ok)
      return false
    }
    countIn(decision, counters.rateLimited)
    if (!isDrawn(config.enforced, call.random)) {
      const { requestHeaders } = config
      if (!requestHeaders.isEmpty) applyMutation(requestHeaders, call.head, templateContext(decision, call))
      return false
    }
    countIn(decision, counters.enforced)
    refuseCall(config, call, decision)
    return true
  },
}

/** One for all calls of the thread. */
const matched = new MatchedLimits()
/** The limit that headers tell of, and what it has left. */
const judged = { limit: undefined as LimitPlan | undefined, remaining: 0, resetMs: 0, isShadowed: false }

/** Every descriptor's bucket is asked, then the default one, up to the first that has no token. */
function take(config: LocalRateLimitConfig, call: Call): boolean {
  const { facts } = call
  const { tokens } = call.around
  const { limits, values, length } = matched
  const connection = config.isPerConnection ? facts : undefined
  judged.limit = undefined
  judged.isShadowed = false
  for (let i = 0; i < length; i++) {
    const limit = limits[i] as DescriptorPlan
    const isTaken = tokens.take(limit.bucket, values[i] as string, connection)
    const isRefused = !isTaken && !limit.isShadow
    // Two descriptors may be of one bucket: it is told of as it is in the end.
    const isFirst = judged.limit === undefined || (judged.limit === limit && values[0] === values[i])
    if (!judged.isShadowed && (isFirst || !isTaken)) note(limit, call)
    if (isRefused) note(limit, call)
    else if (!isTaken) judged.isShadowed = true
    if (isRefused) return false
  }
  const fallback = config.bucket
  if (fallback === undefined || (length > 0 && !config.alwaysTakesDefault)) return true
  const isTaken = tokens.take(fallback.bucket, '', connection)
  if (!isTaken || judged.limit === undefined) note(fallback, call)
  return isTaken
}

function note(limit: LimitPlan, { around: { tokens } }: Call): void {
  judged.limit = limit
  judged.remaining = tokens.remaining
  judged.resetMs = tokens.resetMs
}

/** Envoy's, of an older draft, and those of draft-ietf-httpapi-ratelimit-headers. */
function writeLimitHeaders({ bucket, policy, policyName }: LimitPlan, decision: Decision): void {
  const { remaining } = judged
  const resetS = Math.ceil(judged.resetMs / 1000)
  append(decision, 'x-ratelimit-limit', String(bucket.maxTokens))
  append(decision, 'x-ratelimit-remaining', String(remaining))
  append(decision, 'x-ratelimit-reset', String(resetS))
  append(decision, 'ratelimit-policy', policy)
  append(decision, 'ratelimit', `${policyName};r=${remaining};t=${resetS}`)
}

/** Every filter writes a line of its own, and a response meets the last filter first. */
function append(decision: Decision, name: string, value: string): void {
  decision.responseHeaders ??= []
  decision.responseHeaders.unshift({ name, value, action: 'append' })
}

function refuseCall(config: LocalRateLimitConfig, call: Call, decision: Decision): void {
  answer(decision, config.status, 'local_rate_limited', 'RL')
  decision.body = BODY
  if (isGrpc(call)) decision.grpcStatus = config.grpcStatus
  const isTooMany = config.status === 429
  if (config.writesRetryAfter && isTooMany)
    addResponseHeader(decision, 'retry-after', String(Math.ceil(judged.resetMs / 1000)))
  changeRefusal(config.responseHeaders, call, decision)
}

const BODY = Buffer.from('local_rate_limited')

/** Which buckets are asked, in turn, and which are there for others. */
function traceLimits(config: LocalRateLimitConfig, trace: Trace): void {
  const { name, bucket, alwaysTakesDefault, descriptors, origin } = config
  const { values, length } = matched
  const limits = matched.limits.slice(0, length)
  const dryRun = config.enforced?.numerator === 0 ? ', and is only counted' : ''
  const tell = (what: string, isAsked: boolean, reason: string) =>
    trace.push({ candidate: `rate limit ${name} ${what}`, matched: isAsked, reason: reason + dryRun, origin })
  limits.forEach((limit, i) => {
    const value = limit.isWild ? `${sizeOf(limit)} for ${(values[i] as string).replaceAll('\0', ', ')}` : sizeOf(limit)
    tell(entriesOf(limit), true, value)
  })
  for (const one of descriptors) if (!limits.includes(one)) tell(entriesOf(one), false, 'the call is not under it')
  if (bucket === undefined) return
  const isAsked = limits.length === 0 || alwaysTakesDefault
  tell('of all', isAsked, isAsked ? sizeOf(bucket) : 'is for calls that no other is for')
}

function entriesOf({ keys, values }: DescriptorPlan): string {
  return keys.map((key, i) => `${key}=${values[i] === '' ? '*' : values[i]}`).join(' ')
}

function sizeOf({ bucket }: LimitPlan): string {
  return `a bucket of ${bucket.maxTokens}, with another token each ${Number(bucket.tokenMs.toPrecision(6))} ms`
}
