import { viewOfLent } from '../../lib/sockets/lent-memory.ts'
import { copyBytes, viewOf, WORDS_BYTES } from '../../lib/words.ts'

/** Longer ones are copied into a buffer of their own. */
const MAX_KEPT_BYTES = 4096
const STEP_BYTES = 256

/** Keeps the bytes of one message's head after another in the same place, which grows to what they need. */
export class KeptBytes {
  #place: Buffer | undefined
  #view: DataView | undefined
  #kept: Buffer | undefined

  /** A copy. It stands until the next call. */
  keep(source: Buffer): Buffer {
    const { length } = source
    if (length > MAX_KEPT_BYTES) return Buffer.from(source)
    let place = this.#place
    if (place === undefined || place.length < length) {
      place = Buffer.allocUnsafe(Math.ceil(length / STEP_BYTES) * STEP_BYTES)
      this.#place = place
      this.#view = viewOf(place)
      this.#kept = undefined
    }
    const lent = length <= WORDS_BYTES ? viewOfLent(source) : undefined
    if (lent === undefined) place.set(source)
    else copyBytes(lent, 0, this.#view as DataView, 0, length)
    // Requests on one connection are often of one length.
    if (this.#kept?.length !== length) this.#kept = place.subarray(0, length)
    return this.#kept
  }

  /** Whether these are the kept bytes themselves. */
  isKept(bytes: Buffer): boolean {
    return bytes === this.#kept
  }

  /** A view of these bytes, if they are the kept ones. */
  viewOf(bytes: Buffer): DataView | undefined {
    return bytes === this.#kept ? this.#view : undefined
  }
}
