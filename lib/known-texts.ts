import { latin1 } from './latin1.ts'

/** Texts that are kept, each in the one place of those whose bytes are like its own: a power of two. */
const PLACES = 1024
const PLACE_MASK = PLACES - 1
/** Longer ones are seldom the same again, and all that is kept has a bound by this. */
const MAX_BYTES = 64
/** So many bytes at the end, where paths differ, say in which place. */
const HASHED_BYTES = 8

/**
 * Texts that come again and again, such as the paths of requests. To look at a text's bytes costs less than to make it, and one that
 * is known is compared with itself by looking at where it is.
 */
export class KnownTexts {
  readonly #texts: string[] = new Array(PLACES).fill('')
  readonly #bytes = new Uint8Array(PLACES * MAX_BYTES)

  /** `latin1(bytes, from, to)`, made anew only when it is not known. */
  text(bytes: Buffer, from: number, to: number): string {
    const length = to - from
    if (length > MAX_BYTES) return latin1(bytes, from, to)
    let hash = length
    for (let i = length > HASHED_BYTES ? to - HASHED_BYTES : from; i < to; i++) {
      hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0
    }
    const place = (hash ^ (hash >>> 10)) & PLACE_MASK
    const text = this.#texts[place] as string
    const start = place * MAX_BYTES
    return text.length === length && this.#holds(start, bytes, from, length) ? text : this.#take(place, bytes, from, to)
  }

  #holds(start: number, bytes: Buffer, from: number, length: number): boolean {
    const kept = this.#bytes
    for (let i = 0; i < length; i++) if (kept[start + i] !== bytes[from + i]) return false
    return true
  }

  #take(place: number, bytes: Buffer, from: number, to: number): string {
    const text = latin1(bytes, from, to)
    this.#texts[place] = text
    this.#bytes.set(bytes.subarray(from, to), place * MAX_BYTES)
    return text
  }
}
