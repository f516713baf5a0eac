import { ByteQueue } from '../stream/byte-queue.ts'
import { ERROR_CODE, FLAG } from './frame.ts'
import { writeTrailers } from './header-fields.ts'
import { BLOCK, type Http2Session, STREAM_WINDOW_BYTES } from './session.ts'

/** One stream's flow control and ends, in both directions. What its bytes mean is the business of the subclasses. */
export abstract class Http2Stream {
  id = 0
  /** Off the books of its session: nothing is sent on it any more. */
  isReleased = true
  sendWindow = 0
  receiveWindow = 0
  /** Bytes received for which no credit was given back yet. */
  unacked = 0
  localEnded = false
  remoteEnded = false
  /** What the peer's content-length promised, or -1; and what came. */
  expectedBytes = -1
  receivedBytes = 0
  readonly session: Http2Session<Http2Stream>
  #isPaused = false
  /** What waits for credit. */
  readonly #pending = new ByteQueue()
  #endIsPending = false
  #trailers = ''

  constructor(session: Http2Session<Http2Stream>) {
    this.session = session
  }

  protected open(id: number): void {
    this.id = id
    this.isReleased = false
    this.sendWindow = this.session.peer.initialWindowBytes
    this.receiveWindow = STREAM_WINDOW_BYTES
    this.unacked = 0
    this.localEnded = false
    this.remoteEnded = false
    this.expectedBytes = -1
    this.receivedBytes = 0
    this.#isPaused = false
    this.#endIsPending = false
    this.#trailers = ''
  }

  /** Off the books: what waits will never leave. */
  onReleased(): void {
    this.isReleased = true
    this.#pending.clear()
  }

  // === what subclasses do with it ===

  /** A piece of the peer's body, only lent. */
  protected abstract onBodyData(data: Buffer): void
  /** The peer has ended its half. */
  protected abstract onRemoteEnd(): void
  /** The stream is over before its time; it is released already. `code` is the peer's, or ours when `isOurs`. */
  abstract onReset(code: number, isOurs: boolean): void
  /** More can be written. */
  abstract onWritable(): void

  // === receiving ===

  /** Returns 0, or a connection error. */
  onBody(data: Buffer): number {
    this.receivedBytes += data.length
    // Over HTTP/1.1 what is beyond the length would be the next message: not one byte of it may pass.
    if (this.expectedBytes >= 0 && this.receivedBytes > this.expectedBytes) {
      return this.session.resetStream(this.id, ERROR_CODE.protocolError)
    }
    this.onBodyData(data)
    return 0
  }

  /** Whether as much came as was promised. */
  get hasWholeBody(): boolean {
    return this.expectedBytes < 0 || this.expectedBytes === this.receivedBytes
  }

  endRemote(): void {
    this.remoteEnded = true
    this.onRemoteEnd()
  }

  pauseReading(): void {
    this.#isPaused = true
  }

  resumeReading(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.giveCredit()
  }

  /** A stream that nobody reads gets no more credit, and so the peer stops. */
  giveCredit(): void {
    if (this.#isPaused || this.isReleased || this.remoteEnded || this.unacked < STREAM_WINDOW_BYTES / 2) return
    this.session.creditStream(this)
  }

  // === sending ===

  /** Sends what credit allows and keeps the rest. False asks to wait for onWritable(). */
  protected sendBody(data: Buffer): boolean {
    if (this.isReleased) return true
    const { session } = this
    const sent = this.#pending.length === 0 ? this.#sendNow(data, 0) : 0
    if (sent < data.length) {
      this.#pending.add(data.subarray(sent))
      session.blocked.add(this)
      return false
    }
    if (!session.writer.needsDrain) return true
    session.awaitingDrain.add(this)
    return false
  }

  /** Ends our half when all that waits has been sent. `trailers` are HTTP/1.1 lines. */
  protected endBody(trailers: string): void {
    if (this.localEnded || this.isReleased) return
    if (this.#pending.length > 0) {
      this.#endIsPending = true
      this.#trailers = trailers
      return
    }
    this.localEnded = true
    const { writer } = this.session
    if (trailers === '') writer.endStream(this.id)
    else {
      writeTrailers(this.session.encoder, BLOCK, trailers, this.session.options.keepsCase)
      writer.headers(this.id, FLAG.endStream, BLOCK, this.session.maxFrameBytes)
    }
    this.onLocalEnd()
  }

  /** Our half is over, and its end written. */
  protected abstract onLocalEnd(): void

  /** Whether nothing that was given waits. */
  get isWritable(): boolean {
    return this.#pending.length === 0 && !this.session.writer.needsDrain
  }

  /** How many bytes of a body the peer's windows have room for. */
  get creditBytes(): number {
    return Math.min(this.sendWindow, this.session.sendWindow)
  }

  /** There is credit again. */
  resumeSending(): void {
    while (this.#pending.length > 0) {
      const first = this.#pending.first()
      const sent = this.#sendNow(first, 0)
      this.#pending.consume(sent)
      if (sent < first.length) return
    }
    this.session.blocked.delete(this)
    if (this.#endIsPending) {
      this.#endIsPending = false
      this.endBody(this.#trailers)
    } else this.onWritable()
  }

  #sendNow(data: Buffer, from: number): number {
    const { session } = this
    let at = from
    while (at < data.length) {
      const room = Math.min(this.sendWindow, session.sendWindow, session.maxFrameBytes)
      if (room <= 0) break
      const size = Math.min(room, data.length - at)
      session.writer.data(this.id, 0, data, at, at + size)
      session.guard.sent++
      this.sendWindow -= size
      session.sendWindow -= size
      at += size
    }
    return at
  }
}
