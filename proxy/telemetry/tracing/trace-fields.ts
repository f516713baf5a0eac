import { type HeaderBlock, spells } from '../../stream/header-block.ts'

/** Bits of TraceFields.found. */
export const FOUND = {
  traceparent: 1,
  tracestate: 2,
  /** `b3`, or any of `x-b3-*`. */
  b3: 4,
  clientTraceId: 8,
  forceTrace: 16,
  decorator: 32,
  requestId: 64,
} as const

/**
 * Which fields that tracing reads or writes a request may have, found in one pass over its names. Most names are told apart by their
 * lengths and two of their characters, without making texts. One is used again for every request.
 */
export class TraceFields {
  /** What there may be, by FOUND: but for traceparent and x-request-id, another field may look like it. */
  found = 0
  /** How many fields of x-request-id there are. */
  requestIds = 0
  /** Index of the last one among the fields that came; -1 for none. */
  requestIdAt = -1
  /** Index of the last one among those that were added since; -1 for none. */
  addedRequestIdAt = -1
  /** How many fields of traceparent there are. */
  traceparents = 0
  /** Index of the last one among the fields that came; -1 for none. */
  traceparentAt = -1

  read(head: HeaderBlock): void {
    this.found = 0
    this.requestIds = 0
    this.requestIdAt = -1
    this.addedRequestIdAt = -1
    this.traceparents = 0
    this.traceparentAt = -1
    const { at, bytes, base, addedCount } = head
    const count = (head.nameLengths & LENGTHS) === 0 ? 0 : head.count
    for (let i = 0; i < count; i++) {
      const start = at[i << 2] as number
      const length = (at[(i << 2) + 1] as number) - start
      if (length > MAX_LENGTH || ((1 << length) & LENGTHS) === 0) continue
      const from = base + start
      const kind = kindOf(length, bytes[from] as number, bytes[from + 2] as number)
      if (kind === 0 || head.isRemoved(i)) continue
      if (kind === FOUND.requestId) {
        if (!spells(bytes, from, REQUEST_ID)) continue
        this.requestIds++
        this.requestIdAt = i
      } else if (kind === FOUND.traceparent) {
        if (!spells(bytes, from, TRACEPARENT)) continue
        this.traceparents++
        this.traceparentAt = i
      }
      this.found |= kind
    }
    for (let i = 0; i < addedCount; i++) this.#readAdded(head.addedName(i), i)
  }

  #readAdded(name: string, index: number): void {
    const { length } = name
    if (length > MAX_LENGTH || ((1 << length) & LENGTHS) === 0) return
    const kind = kindOf(length, name.charCodeAt(0), name.charCodeAt(2))
    if (kind === 0) return
    if (kind === FOUND.requestId) {
      if (name !== REQUEST_ID && name.toLowerCase() !== REQUEST_ID) return
      this.requestIds++
      this.addedRequestIdAt = index
    } else if (kind === FOUND.traceparent) {
      if (name.toLowerCase() !== TRACEPARENT) return
      this.traceparents++
    }
    this.found |= kind
  }
}

const REQUEST_ID = 'x-request-id'
const TRACEPARENT = 'traceparent'
const MAX_LENGTH = 27
/** The lengths of all the names, as bits. */
const LENGTHS = [2, 10, 11, 12, 17, 19, MAX_LENGTH].reduce((bits, length) => bits | (1 << length), 0)
const LOWER = 0x20
const [B, C, E, R, T, X] = [...'bcertx'].map((letter) => letter.charCodeAt(0)) as [
  number,
  number,
  number,
  number,
  number,
  number,
]

/**
 * traceparent, tracestate, b3, x-b3-*, x-client-trace-id, x-envoy-force-trace, x-envoy-decorator-operation, x-request-id; 0 for what
 * is surely none of them.
 */
function kindOf(length: number, first: number, third: number): number {
  switch (first | LOWER) {
    case T:
      return length === 11 ? FOUND.traceparent : length === 10 ? FOUND.tracestate : 0
    case B:
      return length === 2 ? FOUND.b3 : 0
    case X:
      switch (third | LOWER) {
        case B:
          return FOUND.b3
        case C:
          return length === 17 ? FOUND.clientTraceId : 0
        case E:
          return length === 19 ? FOUND.forceTrace : length === 27 ? FOUND.decorator : 0
        case R:
          return length === 12 ? FOUND.requestId : 0
      }
  }
  return 0
}
