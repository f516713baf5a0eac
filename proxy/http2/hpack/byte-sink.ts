import { viewOf } from '../../../lib/words.ts'

const FIRST_BYTES = 4096

/** A growing buffer that header blocks are encoded into. It is filled from `end` on; set that back to use it again. */
export class ByteSink {
  bytes: Buffer
  /** The same bytes. */
  view: DataView
  end = 0

  constructor(firstBytes = FIRST_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(firstBytes)
    this.view = viewOf(this.bytes)
  }

  /** Sees to it that `size` bytes have room after `end`; growing copies what is there into a new buffer. */
  reserve(size: number): void {
    const needed = this.end + size
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.bytes.length))
    this.bytes.copy(grown, 0, 0, this.end)
    this.bytes = grown
    this.view = viewOf(grown)
  }
}
