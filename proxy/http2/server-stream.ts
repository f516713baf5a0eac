import { STATUS_CODES } from 'node:http'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { requestTrailersAreValid } from '../http1/body-reader.ts'
import { ByteQueue } from '../stream/byte-queue.ts'
import type { StreamContext } from '../stream/context.ts'
import type { Downstream } from '../stream/downstream.ts'
import { Exchange } from '../stream/exchange.ts'
import { HeaderBlock } from '../stream/header-block.ts'
import { FRAMING, type Framing, RequestHead } from '../stream/message.ts'
import { ERROR_CODE, FLAG } from './frame.ts'
import { encodeFields, trailerLines } from './header-fields.ts'
import { type RequestVerdict, readRequest } from './request-fields.ts'
import type { ServerSession } from './server-session.ts'
import { BLOCK, LINES } from './session.ts'
import { Http2Stream } from './stream.ts'

/** One request of an HTTP/2 client. It is used again for another when it is over. */
export class ServerStream extends Http2Stream implements Downstream {
  readonly head = new RequestHead()
  readonly exchange: Exchange
  readonly facts: ConnectionFacts
  readonly #session: ServerSession
  #isTunnel = false
  /** What came for a tunnel before the upstream had agreed; the stream's credit bounds it. */
  readonly #early = new ByteQueue()
  /** Runs while an answer that is complete waits for the client to take it. */
  readonly #flushTimer: WheelTimer

  constructor(session: ServerSession, context: StreamContext) {
    super(session)
    this.#session = session
    this.facts = session.facts
    this.exchange = new Exchange(context, this)
    const { bugs } = context
    this.#flushTimer = new WheelTimer(
      bugs.guard(
        'downstream',
        () => this.#onFlushTimeout(),
        () => this.destroy(),
      ),
    )
  }

  /** A request's fields are in LINES. Returns 0, or a connection error. */
  begin(id: number, endStream: boolean): number {
    this.open(id)
    this.#isTunnel = false
    this.remoteEnded = endStream
    const session = this.#session
    const { manager, stats } = session.source
    const verdict = readRequest(LINES, this.head, endStream, session.scheme, session.options.keepsCase)
    if (manager === undefined) return session.resetStream(id, ERROR_CODE.refusedStream)
    if (verdict === 'malformed') return session.resetStream(id, ERROR_CODE.protocolError)
    if (verdict === 'ok') {
      if (this.head.framing === FRAMING.length) this.expectedBytes = this.head.contentLength
      // A length of 0 says that there is nothing, and so the request is whole; its end must still come.
      else if (this.head.framing === FRAMING.none && !this.#asksForTunnel) this.expectedBytes = 0
      this.exchange.begin(manager, stats)
    } else this.reply(REFUSALS[verdict])
    return 0
  }

  /** The fields were too many to be kept: all that is known of the request is that it came. */
  refuseTooLarge(id: number, endStream: boolean): void {
    this.open(id)
    this.#isTunnel = false
    this.remoteEnded = endStream
    this.head.clear()
    this.reply(431)
  }

  /** Trailers are in LINES. Returns 0, or a connection error. */
  onTrailers(): number {
    const lines = trailerLines(LINES)
    if (lines === undefined || !requestTrailersAreValid(lines) || !this.hasWholeBody) {
      return this.session.resetStream(this.id, ERROR_CODE.protocolError)
    }
    if (lines !== '') this.exchange.onRequestTrailers(lines)
    this.endRemote()
    return 0
  }

  get #asksForTunnel(): boolean {
    return this.head.upgrade !== '' || this.head.method === 'CONNECT'
  }

  /** Answers what never became an exchange. */
  reply(status: number): void {
    const session = this.#session
    const fields = new HeaderBlock()
    const body = Buffer.from(STATUS_CODES[status] ?? '')
    fields.append('content-length', String(body.length))
    fields.append('content-type', 'text/plain')
    session.countRefusal(status)
    this.writeHead(status, fields, false, FRAMING.length)
    this.sendBody(body)
    this.endResponse('')
  }

  // === from the session ===

  protected override onBodyData(data: Buffer): void {
    if (this.#isTunnel || !this.#asksForTunnel) this.exchange.onRequestData(data)
    else {
      this.#early.add(data)
      this.pauseReading()
    }
  }

  protected override onRemoteEnd(): void {
    if (this.#isTunnel || (this.head.framing !== FRAMING.none && !this.#asksForTunnel)) this.exchange.onRequestEnd()
    if (this.localEnded) this.#finish()
  }

  override onReleased(): void {
    super.onReleased()
    this.#early.clear()
    this.session.wheel.disarm(this.#flushTimer)
  }

  override onReset(): void {
    this.exchange.onDownstreamClosed()
    this.#session.reuse(this)
  }

  override onWritable(): void {
    this.exchange.onDownstreamWritable()
  }

  protected override onLocalEnd(): void {
    const { session } = this
    if (this.#isTunnel && !this.remoteEnded) return
    // The rest of the request is not wanted (RFC 9113 section 8.1).
    if (!this.remoteEnded) session.writeReset(this.id, ERROR_CODE.noError)
    this.#finish()
  }

  #finish(): void {
    if (this.isReleased) return
    this.session.release(this)
    this.#session.reuse(this)
  }

  // === Downstream ===

  writeHead(status: number, fields: HeaderBlock, _hasStartLine: boolean, framing: Framing): void {
    if (this.isReleased) return
    const { session } = this
    const { encoder, options, writer } = session
    const opensTunnel = status === 101 || (this.head.method === 'CONNECT' && status < 300)
    BLOCK.end = 0
    encoder.begin(BLOCK)
    encoder.status(BLOCK, status === 101 ? 200 : status)
    encodeFields(fields, encoder, BLOCK, options.keepsCase, -1)
    const endsHere = framing === FRAMING.none && !opensTunnel
    writer.headers(this.id, endsHere ? FLAG.endStream : 0, BLOCK, session.maxFrameBytes)
    session.guard.sent++
    if (endsHere) this.localEnded = true
  }

  writeData(data: Buffer): boolean {
    return this.sendBody(data)
  }

  endResponse(trailers: string): void {
    if (this.isReleased) return
    if (this.localEnded) this.onLocalEnd()
    else this.endBody(trailers)
    if (!this.localEnded && !this.isReleased) this.#armFlush()
  }

  override resumeSending(): void {
    super.resumeSending()
    if (this.#flushTimer.armed && !this.localEnded) this.#armFlush()
  }

  #armFlush(): void {
    const timeoutMs = this.#session.source.manager?.streamIdleTimeoutMs ?? 0
    if (timeoutMs > 0) this.session.wheel.arm(this.#flushTimer, timeoutMs)
  }

  /** The client gives no credit for what is left of the answer (Envoy's stream_flush_timeout). */
  #onFlushTimeout(): void {
    if (this.isReleased) return
    this.#session.source.stats.downstream_rq_idle_timeout.inc()
    this.session.resetStream(this.id, ERROR_CODE.cancel)
  }

  /** What was written leaves at the end of the turn. */
  flush(): void {}

  writeContinue(): void {
    const { encoder, writer } = this.session
    BLOCK.end = 0
    encoder.begin(BLOCK)
    encoder.status(BLOCK, 100)
    writer.headers(this.id, 0, BLOCK, this.session.maxFrameBytes)
  }

  destroy(): void {
    if (!this.isReleased) this.session.resetStream(this.id, ERROR_CODE.internalError)
  }

  becomeTunnel(): void {
    this.#isTunnel = true
    this.expectedBytes = -1
    this.resumeReading()
    for (const piece of this.#early.pieces()) this.exchange.onRequestData(piece)
    this.#early.clear()
    if (this.remoteEnded) this.exchange.onRequestEnd()
  }
}

const REFUSALS: Record<Exclude<RequestVerdict, 'ok' | 'malformed'>, number> = {
  too_large: 431,
  bad_path: 400,
  bad_host: 400,
  expectation_failed: 417,
}
