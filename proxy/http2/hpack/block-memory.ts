import { viewOf } from '../../../lib/words.ts'
import type { FieldLines } from './field-lines.ts'

/** Longer blocks are not remembered. */
const MAX_BLOCK_BYTES = 256
/** One of each length but for a multiple of this: the blocks of headers and of trailers do not drive each other out. */
const PLACES = 4
/** While no block comes again, only one in so many is looked at. */
const SPARING = 16

/** Decoded fields in bytes and offsets of their own, none of which is never to be indexed. */
export interface KeptLines {
  readonly bytes: Buffer
  readonly view: DataView
  readonly count: number
  readonly at: Int32Array
  /** A bit for each of the first fields: the block added it to the table. */
  readonly added: number
  /** What who reads messages has made of them: the same each time. */
  reading: unknown
}

/** In the place of the `changes` of a table: the block says the same whatever is in it. */
export const WHATEVER = -1

class Remembered {
  readonly block = new Uint8Array(MAX_BLOCK_BYTES)
  length = 0
  /** `changes` of the table when the block was decoded, or WHATEVER. */
  changes = 0
  maxListBytes = 0
  /** There once the block has come twice. */
  lines: KeptLines | undefined
}

/**
 * Blocks of one decoder that came last, and what they said. Messages of one connection are often alike to the last byte
 * once their fields are in the table: then there is nothing to decode. A block says the same again if the table has not
 * changed since, or if it never asks the table: nginx has each answer add all its fields anew. Of one that asks and changes it,
 * nothing is remembered.
 */
export class BlockMemory {
  readonly #places: (Remembered | undefined)[] = new Array(PLACES).fill(undefined)
  #found: Remembered | undefined
  #strange = 0

  /** What this block said when it came before; undefined when that is not known. */
  recall(block: Buffer, start: number, end: number, changes: number, maxListBytes: number): KeptLines | undefined {
    const length = end - start
    const place = this.#places[length % PLACES]
    this.#found = undefined
    if (place === undefined || place.length !== length) return undefined
    if (place.changes !== changes && place.changes !== WHATEVER) return undefined
    if (place.maxListBytes !== maxListBytes) return undefined
    const known = place.block
    for (let i = 0; i < length; i++) if (known[i] !== block[start + i]) return undefined
    this.#found = place
    return place.lines
  }

  /**
   * A block was decoded well after `recall` had not known it. `changes` is that of the table before and after, or WHATEVER, and
   * then fields of it may have been added to the table.
   */
  note(
    block: Buffer,
    start: number,
    end: number,
    changes: number,
    maxListBytes: number,
    said: FieldLines,
    added: number,
  ): void {
    const length = end - start
    if (this.#found !== undefined) {
      this.#strange = 0
      this.#found.lines = kept(said, added)
      return
    }
    if (length > MAX_BLOCK_BYTES || (this.#strange >= SPARING && this.#strange % SPARING !== 0)) {
      this.#strange++
      return
    }
    this.#strange++
    let place = this.#places[length % PLACES]
    if (place === undefined) {
      place = new Remembered()
      this.#places[length % PLACES] = place
    }
    for (let i = 0; i < length; i++) place.block[i] = block[start + i] as number
    place.length = length
    place.changes = changes
    place.maxListBytes = maxListBytes
    place.lines = undefined
  }

  forget(): void {
    this.#places.fill(undefined)
  }
}

/** undefined when a field is never to be indexed, which is rare, and is said beside the lines. */
function kept({ bytes, base, end, count, at, neverIndexed }: FieldLines, added: number): KeptLines | undefined {
  for (let i = 0; i < count; i++) if (neverIndexed[i] === 1) return undefined
  const own = Buffer.from(bytes.subarray(base, end))
  return { bytes: own, view: viewOf(own), count, at: at.slice(0, 4 * count + 1), added, reading: undefined }
}
