import { latin1 } from '../../../lib/latin1.ts'
import type { HeaderBlock } from '../../stream/header-block.ts'
import { hexValue, isLowerHex } from './hex.ts'
import { TRACEPARENT, type TraceIds } from './ids.ts'

/*
 * Trace contexts as requests carry them: W3C's traceparent (www.w3.org/TR/trace-context) and Zipkin's B3, in one header or in
 * several (github.com/openzipkin/b3-propagation). What is malformed counts as absent.
 */

/** Bits of TraceContext.forms. */
export const FORM = { w3c: 1, b3Single: 2, b3Multi: 4 } as const

/** What a request says of the trace that it belongs to. One is used again for every request. */
export class TraceContext {
  /** 16 or 32 lower-case digits; '' where the request belongs to no trace yet. */
  traceId = ''
  /** The caller's span; '' without a trace. */
  spanId = ''
  /** That span's own parent, where it is told (B3). */
  parentId = ''
  /** Whether the caller keeps its span; undefined where it leaves that to us. */
  isSampled: boolean | undefined = undefined
  isDebug = false
  /** The forms that the request has, well-formed or not: who passes it on writes these anew, or they would belie the others. */
  forms = 0

  clear(): void {
    this.traceId = ''
    this.spanId = ''
    this.parentId = ''
    this.isSampled = undefined
    this.isDebug = false
    this.forms = 0
  }
}

/** Reads the first of these forms that is well-formed: `preferred` where the request has it, else the others. */
export function readContext(head: HeaderBlock, preferred: 'w3c' | 'b3', into: TraceContext): void {
  into.clear()
  const traceparent = head.get('traceparent')
  const single = head.get('b3')
  const multi = head.get('x-b3-traceid')
  const sampled = head.get('x-b3-sampled')
  const flags = head.get('x-b3-flags')
  if (traceparent !== undefined) into.forms |= FORM.w3c
  if (single !== undefined) into.forms |= FORM.b3Single
  if (multi !== undefined || sampled !== undefined || flags !== undefined) into.forms |= FORM.b3Multi
  if (into.forms === 0) return
  if (preferred === 'w3c') readTraceparent(traceparent, into) || readB3(head, single, multi, into)
  else readB3(head, single, multi, into) || readTraceparent(traceparent, into)
  // A wish of B3's may stand alone, and speaks for its own contexts.
  if (into.isSampled === undefined) readB3Wish(sampled, flags, into)
}

const ZERO_SPAN = '0000000000000000'
const ZERO_TRACE = '00000000000000000000000000000000'
const DASH = 45
const ZERO = 48

/** A version that we do not know may have more at its end (section 3.2.4 "Versioning"); ff is none. */
function readTraceparent(text: string | undefined, into: TraceContext): boolean {
  if (text === undefined || text.length < TRACEPARENT.length || text.length > MAX_TRACEPARENT) return false
  const { traceId, spanId, flags, length } = TRACEPARENT
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    const isDash = i === traceId - 1 || i === spanId - 1 || i === flags - 1
    if (isDash ? code !== DASH : !isLowerHex(code)) return false
  }
  const hasMore = text.length > length
  if (hasMore && text.charCodeAt(length) !== DASH) return false
  if (text.startsWith('ff') || (hasMore && text.startsWith('00'))) return false
  const trace = text.slice(traceId, spanId - 1)
  const span = text.slice(spanId, flags - 1)
  if (trace === ZERO_TRACE || span === ZERO_SPAN) return false
  into.traceId = trace
  into.spanId = span
  into.isSampled = isSampled(text.charCodeAt(length - 1))
  return true
}

/** By the last digit of the flags. */
function isSampled(digit: number): boolean {
  return (hexValue(digit) & 1) === 1
}

const MAX_TRACEPARENT = 256
const B3_SINGLE = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(?:-([01d])(?:-([0-9a-f]{16}))?)?$/i

function readB3(head: HeaderBlock, single: string | undefined, multi: string | undefined, into: TraceContext): boolean {
  return (single !== undefined && readB3Single(single, into)) || (multi !== undefined && readB3Multi(head, multi, into))
}

function readB3Single(text: string, into: TraceContext): boolean {
  if (text === '0' || text === '1' || text === 'd') {
    setWish(text, into)
    return false
  }
  const match = text.length > 68 ? null : B3_SINGLE.exec(text)
  if (match === null) return false
  const [, traceId = '', spanId = '', wish, parentId = ''] = match
  if (!setIds(traceId, spanId, into)) return false
  into.parentId = parentId.toLowerCase()
  if (wish !== undefined) setWish(wish, into)
  return true
}

function readB3Multi(head: HeaderBlock, traceId: string, into: TraceContext): boolean {
  const spanId = head.get('x-b3-spanid')
  if (spanId === undefined || !isTraceId(traceId) || !isSpanId(spanId) || !setIds(traceId, spanId, into)) return false
  const parentId = head.get('x-b3-parentspanid')
  if (parentId !== undefined && isSpanId(parentId)) into.parentId = parentId.toLowerCase()
  return true
}

function setIds(traceId: string, spanId: string, into: TraceContext): boolean {
  if (spanId === ZERO_SPAN || traceId === ZERO_SPAN || traceId === ZERO_TRACE) return false
  into.traceId = traceId.toLowerCase()
  into.spanId = spanId.toLowerCase()
  return true
}

function readB3Wish(sampled: string | undefined, flags: string | undefined, into: TraceContext): void {
  if (flags === '1') setWish('d', into)
  else if (sampled === '1' || sampled === 'true') setWish('1', into)
  else if (sampled === '0' || sampled === 'false') setWish('0', into)
}

function setWish(wish: string, into: TraceContext): void {
  into.isDebug = wish.toLowerCase() === 'd'
  into.isSampled = wish !== '0'
}

const isTraceId = (text: string) => (text.length === 16 || text.length === 32) && HEX.test(text)
const isSpanId = (text: string) => text.length === 16 && HEX.test(text)
const HEX = /^[0-9a-f]+$/i

/** The span that a request is sent onward under. */
export interface OutgoingContext {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly isSampled: boolean
  readonly isDebug: boolean
}

/**
 * Writes the context in the forms of `forms`. A request keeps the forms that it came with, by which its receiver may go on,
 * and no form is left that tells of another span. `hadTrace` false: what vendors said of an earlier trace goes with it.
 */
export function writeContext(head: HeaderBlock, context: OutgoingContext, forms: number, hadTrace: boolean): void {
  const { traceId, spanId, parentId, isSampled, isDebug } = context
  if ((forms & FORM.w3c) !== 0) {
    const whole = traceId.length === 32 ? traceId : ZERO_SPAN + traceId
    head.set('traceparent', `00-${whole}-${spanId}-${isSampled ? '01' : '00'}`)
    if (!hadTrace) head.remove('tracestate')
  }
  if ((forms & FORM.b3Single) !== 0) {
    const wish = isDebug ? 'd' : isSampled ? '1' : '0'
    head.set('b3', `${traceId}-${spanId}-${wish}${parentId === '' ? '' : `-${parentId}`}`)
  }
  if ((forms & FORM.b3Multi) !== 0) {
    head.set('x-b3-traceid', traceId)
    head.set('x-b3-spanid', spanId)
    head.set('x-b3-sampled', isSampled ? '1' : '0')
    if (parentId === '') head.remove('x-b3-parentspanid')
    else head.set('x-b3-parentspanid', parentId)
    if (!isDebug) head.remove('x-b3-flags')
  }
}

/**
 * Makes the next of `ids` the traceparent that goes on from the one that came as the field of this index, by a span of ours that is
 * kept if that one is. From bytes to bytes, since most calls that belong to a trace need no more. False where it is
 * not just what version 00 has: readContext() is for those.
 */
export function continueTraceparent(head: HeaderBlock, index: number, ids: TraceIds): boolean {
  const { traceId, spanId, flags, length } = TRACEPARENT
  if (head.valueLength(index) !== length) return false
  const { bytes } = head
  const start = head.base + (head.at[(index << 2) + 2] as number)
  if (bytes[start] !== ZERO || bytes[start + 1] !== ZERO || bytes[start + traceId - 1] !== DASH) return false
  if (!isId(bytes, start + traceId, spanId - 1 - traceId) || bytes[start + spanId - 1] !== DASH) return false
  if (!isId(bytes, start + spanId, flags - 1 - spanId) || bytes[start + flags - 1] !== DASH) return false
  const lastDigit = bytes[start + flags + 1] as number
  if (!isLowerHex(bytes[start + flags] as number) || !isLowerHex(lastDigit)) return false
  const { lines, valueOffset } = ids.traceparents
  const to = ids.line + valueOffset
  for (let i = traceId; i < spanId - 1; i++) lines[to + i] = bytes[start + i] as number
  if (isSampled(lastDigit)) ids.keepNext()
  return true
}

/** The span that sent the request, by a traceparent that continueTraceparent() took. */
export function callerOf({ bytes, base, at }: HeaderBlock, index: number): string {
  const start = base + (at[(index << 2) + 2] as number)
  return latin1(bytes, start + TRACEPARENT.spanId, start + TRACEPARENT.flags - 1)
}

/** Whether there are so many digits, and not all of them zeros. */
function isId(bytes: Buffer, from: number, length: number): boolean {
  let unlikeZero = 0
  for (let i = from; i < from + length; i++) {
    const code = bytes[i] as number
    if (!isLowerHex(code)) return false
    unlikeZero |= code ^ ZERO
  }
  return unlikeZero !== 0
}
