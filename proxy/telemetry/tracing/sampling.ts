import { ofHexDigits } from '../../../lib/hex.ts'
import { latin1 } from '../../../lib/latin1.ts'
import type { Random } from '../../../lib/random.ts'
import type { RequestHead } from '../../stream/message.ts'
import { hexValue } from './hex.ts'
import type { SamplingPlan } from './plan.ts'
import { FOUND, type TraceFields } from './trace-fields.ts'

/*
 * Whether a request that nobody has decided about is traced, and why. Envoy keeps the reason in the digit of x-request-id that
 * tells a UUID's version, so that every proxy on the way says the same (Envoy's UUIDRequestIDExtension and
 * ConnectionManagerUtility::mutateTracingRequestHeader).
 */

const UUID_LENGTH = 36
const REASON_AT = 14
const [NONE, SAMPLED, FORCED, CLIENT] = [...'49ab'].map((digit) => digit.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
]
const DASH = 45
const MAY_BE_FORCED = FOUND.clientTraceId | FOUND.forceTrace

/**
 * Draws, and writes the reason into x-request-id. An identifier that is no UUID carries no reason: its request is not drawn. That
 * it is one is looked at only where anything comes of it, and most requests are not drawn. `fields`: what `head` has.
 */
export function drawTraced(head: RequestHead, fields: TraceFields, plan: SamplingPlan, random: Random): boolean {
  // Several are one text with commas, which is no UUID.
  if (fields.requestIds !== 1) return false
  const index = fields.requestIdAt
  if (index < 0 && isOwnUndrawn(head, fields, plan)) return false
  const length = index < 0 ? head.addedLength(fields.addedRequestIdAt) : head.valueLength(index)
  if (length !== UUID_LENGTH) return false
  let { bytes } = head
  let start = 0
  let isOwn = false
  if (index >= 0) start = head.base + (head.at[(index << 2) + 2] as number)
  else {
    const batch = head.addedBatch(fields.addedRequestIdAt)
    if (batch === undefined) bytes = Buffer.from(head.addedValue(fields.addedRequestIdAt), 'latin1')
    else {
      isOwn = !batch.isShared
      bytes = batch.lines
      start = head.addedLine(fields.addedRequestIdAt) + batch.valueOffset
    }
  }
  const before = bytes[start + REASON_AT] as number
  let reason = plan.usesRequestId && isReason(before) ? before : NONE
  if (reason === NONE) {
    const mayBeForced = (fields.found & MAY_BE_FORCED) !== 0
    if (mayBeForced && plan.client > 0 && head.has('x-client-trace-id') && draw(plan.client, random)) reason = CLIENT
    else if (mayBeForced && head.has('x-envoy-force-trace')) reason = FORCED
    else if (plan.random > 0) {
      if (!plan.usesRequestId) reason = draw(plan.random, random) ? SAMPLED : NONE
      else {
        const number = dieOf(bytes, start)
        if (number >= 0 && number / 100 < plan.random) reason = SAMPLED
      }
    }
  }
  if (reason !== NONE && !draw(plan.overall, random)) reason = NONE
  const writes = plan.packsReason && reason !== before
  if (reason === NONE && !writes) return false
  if (isOwn) {
    // It was made here, for this request alone.
    if (writes) bytes[start + REASON_AT] = reason
    return reason !== NONE
  }
  const id = latin1(bytes, start, start + UUID_LENGTH)
  if (!isUuid(id)) return false
  if (writes) {
    const digit = String.fromCharCode(reason)
    head.set('x-request-id', `${id.slice(0, REASON_AT)}${digit}${id.slice(REASON_AT + 1)}`)
  }
  return reason !== NONE
}

/** Whether the identifier was made here, so that it is a UUID without a reason, and nothing but its digits could give it one. */
function isOwnUndrawn(head: RequestHead, fields: TraceFields, plan: SamplingPlan): boolean {
  const batch = head.addedBatch(fields.addedRequestIdAt)
  if (batch === undefined || !plan.usesRequestId || (fields.found & MAY_BE_FORCED) !== 0) return false
  const start = head.addedLine(fields.addedRequestIdAt) + batch.valueOffset
  const high = ofHexDigits(batch.view.getUint32(start))
  return dieOfBits((high << 16) | ofHexDigits(batch.view.getUint32(start + 4))) / 100 >= plan.random
}

/** The value of the first eight digits modulo 10,000; -1 where they are none. */
function dieOf(bytes: Buffer, start: number): number {
  let bits = 0
  for (let i = start; i < start + 8; i++) {
    const digit = hexValue(bytes[i] as number)
    if (digit < 0) return -1
    bits = (bits << 4) | digit
  }
  return dieOfBits(bits)
}

/** In two steps, since of a number beyond 31 bits the remainder would be one of doubles, which takes ten times as long. */
function dieOfBits(bits: number): number {
  return (((bits >>> 1) % 5000) << 1) | (bits & 1)
}

function isUuid(id: string): boolean {
  for (let i = 0; i < UUID_LENGTH; i++) {
    const code = id.charCodeAt(i)
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (code !== DASH) return false
    } else if (hexValue(code) < 0) return false
  }
  return true
}

function isReason(digit: number): boolean {
  return digit === SAMPLED || digit === FORCED || digit === CLIENT
}

function draw(percent: number, random: Random): boolean {
  return percent >= 100 || (percent > 0 && random.next() * 100 < percent)
}
