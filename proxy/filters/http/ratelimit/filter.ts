import type { Call } from '../../../decide/call.ts'
import { answer, ask, changeResponseHeader, countIn, type Decision } from '../../../decide/decision.ts'
import { setMetadata } from '../../../decide/metadata.ts'
import { changeRefusal } from '../../../decide/mutate.ts'
import { isGrpc } from '../../../decide/route.ts'
import type { RequestHead } from '../../../stream/message.ts'
import type { HttpFilter } from '../filter.ts'
import type { LimitAnswer, LimitResult } from './answer.ts'
import { compileRateLimit, compileRateLimitRoute, type RateLimitConfig, type RateLimitRouteConfig } from './config.ts'
import { descriptorsOf, descriptorText } from './descriptors.ts'
import { LimitQuestion } from './question.ts'
import { newQuotaTable } from './quota-table.ts'

const NAME = 'envoy.filters.http.ratelimit'

/**
 * Asks a server whether there is room for a call (envoy.filters.http.ratelimit). This half says under what it is counted and does what
 * was answered; the asking is in question.ts, and what was granted ahead in quota-table.ts.
 */
export const rateLimit: HttpFilter<RateLimitConfig | RateLimitRouteConfig> = {
  name: NAME,
  typeName: 'envoy.extensions.filters.http.ratelimit.v3.RateLimit',
  routeTypeName: 'envoy.extensions.filters.http.ratelimit.v3.RateLimitPerRoute',
  compile: compileRateLimit,
  compileForRoute: compileRateLimitRoute,

  judge(mostSpecific, call, decision, result, ofChain) {
    const config = ofChain as RateLimitConfig
    if (result !== undefined) return obey(config, result as LimitResult, call, decision)
    if (!isMeant(config, call.head)) return false
    const forRoute = mostSpecific === ofChain ? undefined : (mostSpecific as RateLimitRouteConfig)
    const option = forRoute?.virtualHostLimits ?? 'override'
    const text = descriptorText(config.stage, option, call, decision)
    if (text === '') return false
    const domain = forRoute?.domain || config.domain
    const quotas = call.around.memory?.of(config, newQuotaTable)
    const key = domain + text
    const known = quotas?.take(key)
    if (known === undefined) {
      const descriptors = descriptorsOf(config.stage, option, call, decision)
      ask(decision, new LimitQuestion(config, domain, descriptors, quotas, key))
      return true
    }
    return obey(config, known, call, decision)
  },
}

function isMeant({ requestType }: RateLimitConfig, head: RequestHead): boolean {
  if (requestType === 'both') return true
  return (head.get('x-envoy-internal') === 'true') === (requestType === 'internal')
}

/** True when the call is answered here. */
function obey(config: RateLimitConfig, result: LimitResult, call: Call, decision: Decision): boolean {
  const counters = config.countersOf(decision.choice?.cluster ?? '')
  switch (result.kind) {
    case 'ok':
      countIn(decision, counters.ok)
      takeMetadata(result, decision)
      for (const { name, value } of result.requestFields) call.head.append(name, value)
      addToResponse(config, result, decision)
      return false
    case 'over_limit':
      countIn(decision, counters.overLimit)
      takeMetadata(result, decision)
      refuseCall(config, result, call, decision)
      return true
    default:
      countIn(decision, counters.error)
      if (!config.failureModeDeny) {
        countIn(decision, counters.failureModeAllowed)
        return false
      }
      answer(decision, config.statusOnError, 'rate_limiter_error', 'RLSE')
      return true
  }
}

function takeMetadata({ metadata }: LimitAnswer, decision: Decision): void {
  if (metadata !== undefined) setMetadata(decision, NAME, metadata)
}

function addToResponse(
  config: RateLimitConfig,
  { responseFields, limitFields }: LimitAnswer,
  decision: Decision,
): void {
  for (const change of responseFields) changeResponseHeader(decision, change)
  if (config.writesLimitHeaders) for (const change of limitFields) changeResponseHeader(decision, change)
}

function refuseCall(config: RateLimitConfig, result: LimitAnswer, call: Call, decision: Decision): void {
  answer(decision, config.status, 'request_rate_limited', 'RL')
  decision.body = result.body
  if (isGrpc(call)) decision.grpcStatus = config.grpcStatus
  for (const change of result.responseFields) {
    const replaces = change.name === 'content-type'
    changeResponseHeader(decision, replaces ? { ...change, action: 'set' } : change)
  }
  if (config.saysRateLimited) {
    changeResponseHeader(decision, { name: 'x-envoy-ratelimited', value: 'true', action: 'set' })
  }
  if (config.writesLimitHeaders) for (const change of result.limitFields) changeResponseHeader(decision, change)
  changeRefusal(config.responseHeaders, call, decision)
}
