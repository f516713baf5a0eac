import { hexDigits } from '../../../lib/hex.ts'
import { latin1 } from '../../../lib/latin1.ts'
import type { RandomWords } from '../../../lib/random.ts'
import { viewOf } from '../../../lib/words.ts'
import { FieldBatch } from '../../stream/field-batch.ts'
import type { Sink } from '../sinks.ts'

type Words = Pick<RandomWords, 'next'>

/** So many are made at once, while what makes them is at hand. */
const BATCH = 64
const TRACE_ID_LENGTH = 32
const SPAN_ID_LENGTH = 16

/** Where the parts of a traceparent of version 00 begin, and how long it is. */
export const TRACEPARENT = { traceId: 3, spanId: 36, flags: 53, length: 55 } as const

/** Where the half of its trace begins that is of this call alone. */
const LOW_HALF = TRACEPARENT.traceId + TRACE_ID_LENGTH / 2
const ONE = 49
const BLANK_ID = '0'.repeat(SPAN_ID_LENGTH)
/** Of one identifier. */
const digits = Buffer.alloc(TRACE_ID_LENGTH)
const digitsView = viewOf(digits)

/**
 * Identifiers of traces and spans, none of which is all zeros. What names spans needs to be unlike, not secret. One serves all tracers
 * of a thread.
 */
export class TraceIds implements Sink {
  readonly #words: Words
  /** Of new traces and spans that are not kept, as they are made. The next one is that of `line`: who takes it goes on. */
  traceparents: FieldBatch
  line = 0
  /** The span of the next one is kept. */
  isNextKept = false

  constructor(words: Words) {
    this.#words = words
    this.traceparents = this.#madeTraceparents()
  }

  get nextTraceId(): string {
    return this.#part(TRACEPARENT.traceId, TRACE_ID_LENGTH)
  }

  get nextSpanId(): string {
    return this.#part(TRACEPARENT.spanId, SPAN_ID_LENGTH)
  }

  #part(offset: number, length: number): string {
    const from = this.line + this.traceparents.valueOffset + offset
    return latin1(this.traceparents.lines, from, from + length)
  }

  /** The next traceparent is taken. */
  goOn(): void {
    this.isNextKept = false
    this.line += this.traceparents.lineLength
    if (this.line < this.traceparents.end) return
    this.traceparents = this.#madeTraceparents()
    this.line = 0
  }

  /** The next traceparent begins a trace whose spans are kept. */
  beginTrace(): void {
    const { view, valueOffset } = this.traceparents
    fill(this.#words, view, this.line + valueOffset + TRACEPARENT.traceId, TRACE_ID_LENGTH)
    this.keepNext()
  }

  /** The span of the next traceparent is kept, so it is not known by digits that its trace has too. */
  keepNext(): void {
    const { lines, view, valueOffset } = this.traceparents
    const at = this.line + valueOffset
    fill(this.#words, view, at + TRACEPARENT.spanId, SPAN_ID_LENGTH)
    lines[at + TRACEPARENT.length - 1] = ONE
    this.isNextKept = true
  }

  /** 32 digits, or 16 for tracers that have shorter ones. */
  traceId(is128Bit: boolean): string {
    if (!is128Bit) return this.spanId()
    fill(this.#words, digitsView, 0, TRACE_ID_LENGTH)
    return latin1(digits, 0, TRACE_ID_LENGTH)
  }

  /** 16 digits. */
  spanId(): string {
    fill(this.#words, digitsView, 0, SPAN_ID_LENGTH)
    return latin1(digits, 0, SPAN_ID_LENGTH)
  }

  /**
   * Nobody keeps the calls that these are for. So 64 bits are drawn for each, of which it has both: the half of its trace's identifier
   * that is said to be random where one is (W3C, level 2), and its span's, which need only be the one of its kind in the trace.
   */
  #madeTraceparents(): FieldBatch {
    const words = this.#words
    const batch = new FieldBatch('traceparent', `00-${this.spanId()}${BLANK_ID}-${BLANK_ID}-00`, BATCH)
    const { view, valueOffset, lineLength, end } = batch
    for (let at = valueOffset; at < end; at += lineLength) {
      let [high, low] = [words.next(), words.next()]
      while ((high | low) === 0) [high, low] = [words.next(), words.next()]
      const [first, second] = [hexDigits(high >>> 16), hexDigits(high & 0xffff)]
      const [third, fourth] = [hexDigits(low >>> 16), hexDigits(low & 0xffff)]
      put(view, at + LOW_HALF, first, second, third, fourth)
      put(view, at + TRACEPARENT.spanId, first, second, third, fourth)
    }
    return batch
  }

  close(): void {}
}

function put(into: DataView, at: number, first: number, second: number, third: number, fourth: number): void {
  into.setUint32(at, first)
  into.setUint32(at + 4, second)
  into.setUint32(at + 8, third)
  into.setUint32(at + 12, fourth)
}

/** Random digits, eight a draw, not all of them zero. */
function fill(words: Words, into: DataView, from: number, length: number): void {
  let all = 0
  while (all === 0) {
    for (let at = from; at < from + length; at += 8) {
      const bits = words.next()
      all |= bits
      into.setUint32(at, hexDigits(bits >>> 16))
      into.setUint32(at + 4, hexDigits(bits & 0xffff))
    }
  }
}
