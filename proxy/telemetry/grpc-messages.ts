/** Byte of flags and four of length in front of each message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX_BYTES = 5

/** Counts gRPC's messages in one direction of a call. Reads prefixes only: what they announce is skipped. */
export class GrpcMessages {
  count = 0
  /** Of the message that passes now. */
  #left = 0
  #prefixRead = 0
  #length = 0

  reset(): void {
    this.count = 0
    this.#left = 0
    this.#prefixRead = 0
    this.#length = 0
  }

  read(data: Buffer): void {
    let at = 0
    while (at < data.length) {
      if (this.#left > 0) {
        const step = Math.min(this.#left, data.length - at)
        this.#left -= step
        at += step
      } else this.#readPrefix(data[at++] as number)
    }
  }

  #readPrefix(byte: number): void {
    // A flag, then a length of which 32 bits may be set.
    if (this.#prefixRead++ > 0) this.#length = this.#length * 256 + byte
    if (this.#prefixRead < PREFIX_BYTES) return
    this.count++
    this.#left = this.#length
    this.#length = 0
    this.#prefixRead = 0
  }
}
