/** Slabs double up to this size. */
const MAX_SLAB_BYTES = 64 * 1024
const NONE: readonly Buffer[] = []

/**
 * Copies of bytes that were only lent, in their order. Pieces share slabs, so that what is held is in proportion to the
 * bytes, however small the pieces are that they come in, and no received buffer is kept alive by a few bytes of it.
 */
export class ByteQueue {
  /** Every slab but the last is full. */
  readonly #slabs: Buffer[] = []
  #firstAt = 0
  #lastEnd = 0
  length = 0

  add(data: Buffer): void {
    const slabs = this.#slabs
    let at = 0
    const last = slabs[slabs.length - 1]
    if (last !== undefined) {
      at = Math.min(last.length - this.#lastEnd, data.length)
      data.copy(last, this.#lastEnd, 0, at)
      this.#lastEnd += at
    }
    const left = data.length - at
    if (left > 0) {
      // As much again as there is already: one piece alone gets no more than it needs.
      const slab = Buffer.allocUnsafe(Math.max(left, Math.min(this.length, MAX_SLAB_BYTES)))
      data.copy(slab, 0, at)
      slabs.push(slab)
      this.#lastEnd = left
    }
    this.length += data.length
  }

  /** The bytes at the front that lie together; empty when there are none. They stay as they are for whoever keeps them. */
  first(): Buffer {
    const slab = this.#slabs[0]
    if (slab === undefined) return EMPTY
    return slab.subarray(this.#firstAt, this.#slabs.length === 1 ? this.#lastEnd : slab.length)
  }

  /** Drops bytes from the front, at most as many as first() has. */
  consume(bytes: number): void {
    this.length -= bytes
    if (this.length === 0) {
      this.clear()
      return
    }
    this.#firstAt += bytes
    if (this.#firstAt < (this.#slabs[0] as Buffer).length) return
    this.#slabs.shift()
    this.#firstAt = 0
  }

  /** Everything, in as few pieces as there are slabs. */
  pieces(): readonly Buffer[] {
    if (this.length === 0) return NONE
    const last = this.#slabs.length - 1
    return this.#slabs.map((slab, i) =>
      slab.subarray(i === 0 ? this.#firstAt : 0, i === last ? this.#lastEnd : undefined),
    )
  }

  clear(): void {
    if (this.#slabs.length > 0) this.#slabs.length = 0
    this.#firstAt = 0
    this.#lastEnd = 0
    this.length = 0
  }
}

const EMPTY = Buffer.alloc(0)
