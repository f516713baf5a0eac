/** Longer ones are copied into a buffer of their own. */
const MAX_KEPT_BYTES = 4096
const STEP_BYTES = 256

/** Keeps the bytes of one message's head after another in the same place, which grows to what they need. */
export class KeptBytes {
  #place: Buffer | undefined
  #view: Buffer | undefined

  /** A copy of the first `length` bytes. It stands until the next call. */
  keep(source: Buffer, length: number): Buffer {
    if (length > MAX_KEPT_BYTES) return Buffer.from(source.subarray(0, length))
    let place = this.#place
    if (place === undefined || place.length < length) {
      place = Buffer.allocUnsafe(Math.ceil(length / STEP_BYTES) * STEP_BYTES)
      this.#place = place
      this.#view = undefined
    }
    source.copy(place, 0, 0, length)
    // Requests on one connection are often of one length.
    if (this.#view?.length !== length) this.#view = place.subarray(0, length)
    return this.#view
  }

  /** Whether these are the kept bytes themselves. */
  isKept(bytes: Buffer): boolean {
    return bytes === this.#view
  }
}
