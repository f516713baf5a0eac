import type { ByteSink } from './hpack/byte-sink.ts'
import type { HpackEncoder } from './hpack/encoder.ts'

const MAX_BYTES = 128
/** An index of one byte (RFC 7541 section 6.1). */
const INDEXED = 0x80
const LONG_INDEX = 0xff

/**
 * Writes the pseudo-header fields of requests on one connection. They are mostly those of the request before, and in the
 * table but for the path: then the same bytes say the same as long as the table has not changed.
 */
export class RequestStart {
  #method = ''
  #scheme = ''
  #authority = ''
  #path = ''
  /** Those of the encoder's table when the bytes were written; -1 when there are none. */
  #changes = -1
  readonly #bytes = new Uint8Array(MAX_BYTES)
  #length = 0

  /** '' leaves a field out. */
  write(encoder: HpackEncoder, out: ByteSink, method: string, scheme: string, authority: string, path: string): void {
    if (
      this.#changes === encoder.tableChanges &&
      this.#path === path &&
      this.#method === method &&
      this.#authority === authority &&
      this.#scheme === scheme
    ) {
      out.reserve(this.#length)
      for (let i = 0; i < this.#length; i++) out.bytes[out.end++] = this.#bytes[i] as number
      return
    }
    const start = out.end
    encoder.text(out, ':method', method)
    if (scheme !== '') encoder.text(out, ':scheme', scheme)
    if (authority !== '') encoder.text(out, ':authority', authority)
    const pathStart = out.end
    if (path !== '') encoder.text(out, ':path', path)
    this.#changes = this.#take(out, start, pathStart) ? encoder.tableChanges : -1
    this.#method = method
    this.#scheme = scheme
    this.#authority = authority
    this.#path = path
  }

  /** Literals are not taken: met once more, they may be worth a place in the table. A path never is. */
  #take({ bytes, end }: ByteSink, start: number, pathStart: number): boolean {
    if (end - start > MAX_BYTES) return false
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number
      if (i < pathStart && (byte < INDEXED || byte === LONG_INDEX)) return false
      this.#bytes[i - start] = byte
    }
    this.#length = end - start
    return true
  }
}
