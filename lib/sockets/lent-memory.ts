import { viewOf } from '../words.ts'

/** Unless told otherwise. */
const MEMORY_BYTES = 64 * 1024
/** Messages are often of one length, and a view of bytes costs more than many a copy of them: so many are kept. */
const KEPT_VIEWS = 2048
/** And of views of what lies within a read, such as the body behind a head. A power of two. */
const KEPT_SLICES = 256
const SLICE_MASK = KEPT_SLICES - 1

/** The part that was taken last, and of which memory. */
let lent: Buffer | undefined
let lender: LentMemory | undefined

/** Memory that many sockets read into, one after the other: each read is lent to who handles it, until that returns. */
export class LentMemory {
  readonly bytes: Buffer
  /** Of the same bytes. */
  readonly view: DataView
  readonly #parts: (Buffer | undefined)[] = new Array(KEPT_VIEWS).fill(undefined)
  readonly #slices: (Buffer | undefined)[] = new Array(KEPT_SLICES).fill(undefined)
  /** Where each of them begins. */
  readonly #sliceStarts = new Int32Array(KEPT_SLICES)

  constructor(length = MEMORY_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(length)
    this.view = viewOf(this.bytes)
  }

  /** The first `length` bytes. */
  part(length: number): Buffer {
    lender = this
    if (length >= KEPT_VIEWS) {
      lent = this.bytes.subarray(0, length)
      return lent
    }
    lent = this.#parts[length] ?? this.bytes.subarray(0, length)
    this.#parts[length] = lent
    return lent
  }

  /** The bytes from `from` to `to`, of what was read last. */
  slice(from: number, to: number): Buffer {
    const place = (from ^ (to << 2)) & SLICE_MASK
    const known = this.#slices[place]
    if (known !== undefined && known.length === to - from && this.#sliceStarts[place] === from) return known
    const slice = this.bytes.subarray(from, to)
    this.#slices[place] = slice
    this.#sliceStarts[place] = from
    return slice
  }
}

/** `bytes.subarray(from, to)`, which costs more than most that is done with it: of the bytes that are lent now, it may be known. */
export function sliceOf(bytes: Buffer, from: number, to: number): Buffer {
  if (from === 0 && to === bytes.length) return bytes
  return bytes === lent && lender !== undefined ? lender.slice(from, to) : bytes.subarray(from, to)
}

/** A view of a buffer's bytes if it is lent now. */
export function viewOfLent(bytes: Buffer): DataView | undefined {
  return bytes === lent && lender !== undefined ? lender.view : undefined
}
