import { ByteQueue } from './byte-queue.ts'

/** Most bytes of a request's body that are kept for a retry or a mirror (Envoy's per-connection buffer is 1 MiB). */
export const REPLAY_LIMIT_BYTES = 1024 * 1024

/** The request's body as far as it has come, kept while it is small enough to be sent again. */
export class RequestBuffer {
  readonly #body = new ByteQueue()
  bytes = 0
  trailers = ''
  /** The whole request has come. */
  isEnded = false
  /** Too large: the bytes were dropped, and the request cannot be sent again. */
  hasOverflowed = false

  reset(): void {
    this.#body.clear()
    this.bytes = 0
    this.trailers = ''
    this.isEnded = false
    this.hasOverflowed = false
  }

  get isFull(): boolean {
    return this.bytes >= REPLAY_LIMIT_BYTES
  }

  /** What is kept. It stays as it is for whoever holds it. */
  pieces(): readonly Buffer[] {
    return this.#body.pieces()
  }

  /** Takes a copy. */
  add(data: Buffer): void {
    if (this.hasOverflowed) return
    this.bytes += data.length
    this.#body.add(data)
  }

  /** Gives up on sending again once the limit is passed. True when that happens now. */
  dropIfFull(): boolean {
    if (this.hasOverflowed || !this.isFull) return false
    this.hasOverflowed = true
    this.#body.clear()
    return true
  }
}
