import type { Call } from '../../../decide/call.ts'
import type { Decision } from '../../../decide/decision.ts'
import { answer, countIn } from '../../../decide/decision.ts'
import { headerMatches } from '../../../decide/fields.ts'
import { isGrpc } from '../../../decide/route.ts'
import type { Fraction } from '../../../plan/plan.ts'
import type { RequestHead } from '../../../stream/message.ts'
import type { HttpFilter } from '../filter.ts'
import { type AbortPlan, compileFault, type FaultConfig, isStatus } from './config.ts'

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
    const { delay, abort } = config
    if ((delay === undefined && abort === undefined) || !isMeant(config, call, decision)) return false
    const delayMs = delay === undefined ? 0 : delayOf(delay, call)
    const status = abort === undefined ? undefined : abortOf(abort, call)
    if (delayMs === 0 && status === undefined) return false
    if (call.around.activeFaults >= config.maxActiveFaults) {
      countIn(decision, 'fault.faults_overflow')
      return false
    }
    if (delayMs > 0) {
      decision.delayMs = delayMs
      decision.flag = 'DI'
      countIn(decision, 'fault.delays_injected')
    }
    if (status === undefined) return false
    answer(decision, status.http, 'fault_filter_abort', 'FI')
    decision.body = ABORT_BODY
    // Who does not speak gRPC gets what it would have been in HTTP.
    if (isGrpc(call)) decision.grpcStatus = status.grpc
    countIn(decision, 'fault.aborts_injected')
    return true
  },
}

const ABORT_BODY = Buffer.from('fault filter abort')

function isMeant(
  { headers, upstreamCluster, downstreamNodes }: FaultConfig,
  { head }: Call,
  decision: Decision,
): boolean {
  if (upstreamCluster !== '' && decision.choice?.cluster !== upstreamCluster) return false
  if (downstreamNodes !== undefined && !downstreamNodes.has(head.get('x-envoy-downstream-service-node') ?? ''))
    return false
  for (const matcher of headers) if (!headerMatches(matcher, head)) return false
  return true
}

/** 0 for none. */
function delayOf({ ms, fraction }: NonNullable<FaultConfig['delay']>, call: Call): number {
  const { head } = call
  if (!isDrawn(fraction, head, 'x-envoy-fault-delay-request-percentage', call)) return 0
  return ms ?? numberOf(head, 'x-envoy-fault-delay-request') ?? 0
}

function abortOf(abort: AbortPlan, call: Call): { http: number; grpc: number | undefined } | undefined {
  const { head } = call
  if (!isDrawn(abort.fraction, head, 'x-envoy-fault-abort-request-percentage', call)) return undefined
  if (abort.by === 'config') return { http: abort.httpStatus, grpc: abort.grpcStatus }
  const http = numberOf(head, 'x-envoy-fault-abort-request')
  if (http !== undefined && isStatus(http)) return { http, grpc: undefined }
  const grpc = numberOf(head, 'x-envoy-fault-abort-grpc-request')
  return grpc === undefined ? undefined : { http: 200, grpc }
}

/** A request may ask for less than the configuration says, and not for more. */
function isDrawn({ numerator, denominator }: Fraction, head: RequestHead, name: string, { random }: Call): boolean {
  if (numerator === 0) return false
  const wanted = Math.min(numberOf(head, name) ?? numerator, numerator)
  return wanted >= denominator || Math.floor(random.next() * denominator) < wanted
}

function numberOf(head: RequestHead, name: string): number | undefined {
  const text = head.get(name)
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined
}
