import { latin1 } from '../../../lib/latin1.ts'
import type { Random } from '../../../lib/random.ts'

const DIGITS = Buffer.from('0123456789abcdef', 'latin1')
const text = Buffer.alloc(32)
const BITS_32 = 0x1_0000_0000

/** 16 hexadecimal digits, not all of them zero. What names spans needs to be unlike, not secret. */
export function newSpanId(random: Random): string {
  fill(random, 0)
  fill(random, 8)
  return isZero(16) ? newSpanId(random) : latin1(text, 0, 16)
}

/** 32 digits, or 16 for tracers that have shorter ones. */
export function newTraceId(random: Random, is128Bit: boolean): string {
  if (!is128Bit) return newSpanId(random)
  for (let at = 0; at < 32; at += 8) fill(random, at)
  return isZero(32) ? newTraceId(random, is128Bit) : latin1(text, 0, 32)
}

const traceparent = Buffer.from(`00-${'0'.repeat(32)}-${'0'.repeat(16)}-00`, 'latin1')
export const TRACEPARENT_PLACES = { traceId: 3, spanId: 36, flags: 53 } as const

/** The traceparent of a new trace and span, not kept, made at once. */
export function newTraceparent(random: Random): string {
  const { traceId, spanId } = TRACEPARENT_PLACES
  for (let at = 0; at < 32; at += 8) fill(random, traceId + at, traceparent)
  fill(random, spanId, traceparent)
  fill(random, spanId + 8, traceparent)
  const made = latin1(traceparent, 0, traceparent.length)
  return made.indexOf('0000000000000000') < 0 ? made : newTraceparent(random)
}

/** Eight digits: a draw has 53 random bits, of which the upper 32 are taken. */
function fill(random: Random, at: number, into = text): void {
  let bits = (random.next() * BITS_32) >>> 0
  for (let i = at + 7; i >= at; i--) {
    into[i] = DIGITS[bits & 15] as number
    bits >>>= 4
  }
}

function isZero(length: number): boolean {
  for (let i = 0; i < length; i++) if (text[i] !== 48) return false
  return true
}
