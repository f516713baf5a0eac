import { viewOf } from '../words.ts'

const MEMORY_BYTES = 64 * 1024
/** Messages are often of one length, and a view of bytes costs more than many a copy of them: so many are kept. */
const KEPT_VIEWS = 2048

/** Memory that many sockets read into, one after the other: each read is lent to who handles it, until that returns. */
export class LentMemory {
  readonly bytes = Buffer.allocUnsafeSlow(MEMORY_BYTES)
  /** Of the same bytes. */
  readonly view = viewOf(this.bytes)
  readonly #parts: (Buffer | undefined)[] = new Array(KEPT_VIEWS).fill(undefined)

  /** The first `length` bytes. */
  part(length: number): Buffer {
    if (length >= KEPT_VIEWS) return this.bytes.subarray(0, length)
    const part = this.#parts[length] ?? this.bytes.subarray(0, length)
    this.#parts[length] = part
    return part
  }

  /** A view of a buffer's bytes if it is a part of this memory that is kept. */
  viewOf(bytes: Buffer): DataView | undefined {
    return this.#parts[bytes.length] === bytes ? this.view : undefined
  }
}
