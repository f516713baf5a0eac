import { viewOf } from '../../../lib/words.ts'
import { MAX_HEADERS } from '../../stream/header-block.ts'
import type { KeptLines } from './block-memory.ts'

/** Most pseudo-header fields of one list: a request's :method, :scheme, :authority, :path and :protocol. */
const MAX_PSEUDO_FIELDS = 5
/** Most fields of one list: pseudo-header fields and as many others as a message of HTTP/1 may have. */
export const MAX_FIELDS = MAX_PSEUDO_FIELDS + MAX_HEADERS

/** Integers per field in `FieldLines.at`. */
const STRIDE = 4
const SLAB_BYTES = 64 * 1024
/** A block is begun in a new slab when less than this is left: most blocks then lie in one from the beginning. */
const LITTLE_BYTES = 4096
const NO_BYTES = Buffer.alloc(0)
const NONE_NEVER_INDEXED = new Uint8Array(MAX_FIELDS)

/**
 * Decoded fields as HTTP/1 lines `name: value\r\n` in one buffer with offsets: the shape of proxy/stream/header-block.ts,
 * so that what came by HTTP/2 leaves by HTTP/1.1 as a copy of bytes.
 *
 * Blocks follow each other in a slab. Bytes before `end` are never written again, so that streams may keep slices of
 * their blocks for as long as they like, and one of these serves any number of connections of a thread.
 */
export class FieldLines {
  /** The slab that the block decoded last lies in. */
  bytes: Buffer = NO_BYTES
  /** The same bytes. */
  view = viewOf(NO_BYTES)
  /** Where the block begins. */
  base = 0
  /** Where the block ends; the next one begins there. */
  end = 0
  count = 0
  /** Offsets from `base` of name start, name end, value start and value end of field i at 4i..4i+3; `at[4 * count]` is `end - base`. */
  at: Int32Array = new Int32Array(STRIDE * MAX_FIELDS + 1)
  /**
   * 1 for a field that came as a literal never to be indexed: whoever passes it on must use the same representation
   * (RFC 7541 6.2.3).
   */
  neverIndexed: Uint8Array = new Uint8Array(MAX_FIELDS)

  /** Those that are shown and kept elsewhere. */
  kept: KeptLines | undefined
  readonly #ownAt = this.at
  readonly #ownNeverIndexed = this.neverIndexed
  /** The slab and its view while lines are shown that lie elsewhere, and where it goes on. */
  #slab: Buffer | undefined
  #slabView = this.view
  #slabEnd = 0

  /** Shows lines that are kept elsewhere, in the place of a block. */
  show(kept: KeptLines): void {
    const { bytes } = kept
    if (this.#slab === undefined) {
      this.#slab = this.bytes
      this.#slabView = this.view
      this.#slabEnd = this.end
    }
    this.kept = kept
    this.bytes = bytes
    this.view = kept.view
    this.base = 0
    this.end = bytes.length
    this.count = kept.count
    this.at = kept.at
    this.neverIndexed = NONE_NEVER_INDEXED
  }

  /** Starts a block at `end`, in a new slab when little is left of this one. */
  begin(): void {
    if (this.#slab !== undefined) {
      this.bytes = this.#slab
      this.view = this.#slabView
      this.end = this.#slabEnd
      this.#slab = undefined
      this.at = this.#ownAt
      this.neverIndexed = this.#ownNeverIndexed
      this.kept = undefined
    }
    if (this.bytes.length - this.end < LITTLE_BYTES) this.#renew(SLAB_BYTES)
    this.base = this.end
    this.count = 0
    this.at[0] = 0
  }

  /**
   * Sees to it that `size` bytes have room after `end`, of which the first `pending` are written already. The block may move to
   * a new slab for it, with `base` and `end`.
   */
  reserve(size: number, pending: number): void {
    if (this.bytes.length - this.end >= size) return
    const { bytes, base, end } = this
    // Twice, so that a block that grows field by field is moved a few times only.
    this.#renew(Math.max(SLAB_BYTES, 2 * (end - base + size)))
    bytes.copy(this.bytes, 0, base, end + pending)
    this.base = 0
    this.end = end - base
  }

  /** Forgets the block. Nobody has seen it, so its place is free for the next one. */
  drop(): void {
    this.end = this.base
    this.count = 0
    this.at[0] = 0
    // One that had to be made for this block is not worth keeping.
    if (this.bytes.length > SLAB_BYTES) this.#renew(SLAB_BYTES)
  }

  #renew(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.view = viewOf(this.bytes)
    this.base = 0
    this.end = 0
  }
}
