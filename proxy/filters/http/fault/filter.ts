import type { Call } from '../../../decide/call.ts'
import type { Decision } from '../../../decide/decision.ts'
import { answer } from '../../../decide/decision.ts'
import { headerMatches } from '../../../decide/fields.ts'
import type { Fraction } from '../../../plan/plan.ts'
import type { HttpFilter } from '../filter.ts'
import { compileFault, type FaultConfig } from './config.ts'

/**
 * Delay and abort by percentage (envoy.filters.http.fault). The two are drawn independently. The delay is only written
 * into the decision; the stream waits.
 */
export const fault: HttpFilter<FaultConfig> = {
  name: 'envoy.filters.http.fault',
  typeName: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
  routeTypeName: 'envoy.extensions.filters.http.fault.v3.HTTPFault',
  compile: compileFault,
  compileForRoute: compileFault,

  judge(config, call, decision) {
    for (const matcher of config.headers) if (!headerMatches(matcher, call.head)) return false
    if (config.delay !== undefined && isDrawn(config.delay.fraction, call)) {
      decision.delayMs = config.delay.ms
      decision.flag = 'DI'
    }
    if (config.abort === undefined || !isDrawn(config.abort.fraction, call)) return false
    abort(config.abort, decision)
    return true
  },
}

function isDrawn(fraction: Fraction | undefined, call: Call): boolean {
  if (fraction === undefined) return true
  return fraction.numerator > 0 && Math.floor(call.random.next() * fraction.denominator) < fraction.numerator
}

function abort(config: NonNullable<FaultConfig['abort']>, decision: Decision): void {
  answer(decision, config.httpStatus, 'fault_filter_abort', 'FI')
  decision.body = ABORT_BODY
  decision.grpcStatus = config.grpcStatus
}

const ABORT_BODY = Buffer.from('fault filter abort')
