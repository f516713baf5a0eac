import type { Random } from '../../../lib/random.ts'
import type { RequestHead } from '../../stream/message.ts'
import type { SamplingPlan } from './plan.ts'

/*
 * Whether a request that nobody has decided about is traced, and why. Envoy keeps the reason in the digit of x-request-id that
 * tells a UUID's version, so that every proxy on the way says the same (Envoy's UUIDRequestIDExtension and
 * ConnectionManagerUtility::mutateTracingRequestHeader).
 */

const REASON_AT = 14
export const REASON = { none: '4', sampled: '9', forced: 'a', client: 'b' } as const
const DASH = 45

/**
 * Draws, and writes the reason into x-request-id. An identifier that is no UUID carries no reason: its request is not drawn.
 * `mayBeForced` false: it has no field that asks for it.
 */
export function drawTraced(head: RequestHead, plan: SamplingPlan, random: Random, mayBeForced = true): boolean {
  const id = head.get('x-request-id')
  if (id === undefined || id.length !== 36 || !hasFormOfUuid(id)) return false
  const before = id.charAt(REASON_AT)
  let reason: string = plan.usesRequestId && isReason(before) ? before : REASON.none
  if (reason === REASON.none) {
    if (mayBeForced && plan.client > 0 && head.has('x-client-trace-id') && draw(plan.client, random))
      reason = REASON.client
    else if (mayBeForced && head.has('x-envoy-force-trace')) reason = REASON.forced
    else if (plan.random > 0) {
      const percent = plan.usesRequestId ? (Number.parseInt(id.slice(0, 8), 16) % 10_000) / 100 : random.next() * 100
      if (percent < plan.random) reason = REASON.sampled
    }
  }
  if (reason !== REASON.none && !draw(plan.overall, random)) reason = REASON.none
  if (plan.packsReason && reason !== before) {
    head.set('x-request-id', `${id.slice(0, REASON_AT)}${reason}${id.slice(REASON_AT + 1)}`)
  }
  return reason !== REASON.none
}

function hasFormOfUuid(id: string): boolean {
  for (let i = 0; i < 36; i++) {
    const code = id.charCodeAt(i)
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (code !== DASH) return false
    } else if (!isHexDigit(code)) return false
  }
  return true
}

function isHexDigit(code: number): boolean {
  return (code >= 48 && code <= 57) || ((code | 0x20) >= 97 && (code | 0x20) <= 102)
}

function isReason(digit: string): boolean {
  return digit === REASON.sampled || digit === REASON.forced || digit === REASON.client
}

function draw(percent: number, random: Random): boolean {
  return percent >= 100 || (percent > 0 && random.next() * 100 < percent)
}
