import type { Socket } from 'node:net'
import { type LentReader, lendTo } from '../../lib/sockets/shared-read-socket.ts'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import { type ConnectionFacts, schemeOf } from '../decide/connection-facts.ts'
import type { ManagerSource } from '../http1/server-connection.ts'
import type { StreamContext } from '../stream/context.ts'
import { ERROR_CODE, MAX_STREAM_ID, PREFACE } from './frame.ts'
import { HPACK_ERROR } from './hpack/hpack-error.ts'
import { ServerStream } from './server-stream.ts'
import { Http2Session } from './session.ts'

/** How long the preface and the first settings may take. */
const HANDSHAKE_MS = 10_000
/** How long a client may still open streams after it was told that we go away (it may not have read it yet). */
const GOAWAY_GRACE_MS = 1_000
/** How long a client may take for a header block that it has begun, when the configuration does not say (slow-loris). */
const DEFAULT_HEADERS_TIMEOUT_MS = 60_000
/** How long we wait for a client to close after what we said last has left (Envoy's delayed_close_timeout). */
const DELAYED_CLOSE_MS = 1_000
/** How long a client may take to read what was written before (Envoy's stream_flush_timeout), when nothing is set. */
const DEFAULT_FLUSH_MS = 300_000
/** Streams that are kept for further requests. */
const MAX_SPARE_STREAMS = 64

/** One HTTP/2 connection of a client. */
export class ServerSession extends Http2Session<ServerStream> implements LentReader {
  readonly source: ManagerSource
  readonly facts: ConnectionFacts
  readonly scheme: string
  readonly #context: StreamContext
  readonly #timer: WheelTimer
  readonly #headersTimer: WheelTimer
  readonly #onClosed: (session: ServerSession) => void
  #prefaceAt = 0
  /** Highest stream that the client has opened, served or not. */
  #lastOpened = 0
  #waitsFor: 'preface' | 'idle' | 'goaway' = 'preface'
  /** The last stream that is served, once the client was told. */
  #finalStreamId = MAX_STREAM_ID
  #idleSinceMs: number
  #spare: ServerStream[] = []

  constructor(
    socket: Socket,
    facts: ConnectionFacts,
    context: StreamContext,
    source: ManagerSource,
    keepsCase: boolean,
    onClosed: (session: ServerSession) => void,
  ) {
    const { manager } = source
    super(socket, context.out, context.wheel, source.stats.http2, {
      isServer: true,
      maxConcurrentStreams: manager?.maxConcurrentStreams ?? 100,
      maxHeaderListBytes: manager?.maxRequestHeadersBytes ?? 61_440,
      takesExtendedConnect: (manager?.upgrades.size ?? 0) > 0,
      keepsCase,
    })
    this.source = source
    this.facts = facts
    this.scheme = schemeOf(facts)
    this.#context = context
    this.#onClosed = onClosed
    source.stats.downstream_cx_http2_total.inc()
    this.#idleSinceMs = context.wheel.coarseNowMs
    const guard = (handle: () => void) => context.bugs.guard('downstream', handle, () => socket.destroy())
    this.#timer = new WheelTimer(guard(() => this.#onTimer()))
    context.wheel.arm(this.#timer, HANDSHAKE_MS)
    this.#headersTimer = new WheelTimer(guard(() => this.#onHeadersTimeout()))
    lendTo(socket, this)
    socket.on('data', (chunk: Buffer) => this.#onData(chunk))
    socket.on(
      'drain',
      guard(() => this.onDrain()),
    )
    socket.on(
      'end',
      guard(() => this.end('client closed')),
    )
    socket.on(
      'error',
      guard(() => this.onSocketClosed('client closed')),
    )
    socket.once(
      'close',
      guard(() => this.#onGone()),
    )
    this.writeSettings()
  }

  get isIdleConnection(): boolean {
    return this.streams.size === 0
  }

  /**
   * Says that we go away, first without a bound: what the client has on its way is still served. Then streams under way
   * finish, and the connection closes.
   */
  drain(): void {
    if (this.isClosed || this.isGoingAway) return
    this.writeGoaway(MAX_STREAM_ID, ERROR_CODE.noError)
    this.writePing()
    this.#waitsFor = 'goaway'
    this.wheel.arm(this.#timer, GOAWAY_GRACE_MS)
  }

  destroy(): void {
    this.socket.destroy()
  }

  countRefusal(status: number): void {
    const { stats } = this.source
    stats.downstream_rq_total.inc()
    stats.countResponse(status)
  }

  // === streams ===

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.#lastOpened
  }

  protected override onHeaders(streamId: number, endStream: boolean, verdict: number): number {
    const open = this.streams.get(streamId)
    if (open !== undefined) return this.#onTrailers(open, endStream, verdict)
    if (streamId % 2 === 0) return ERROR_CODE.protocolError
    if (streamId <= this.#lastOpened) return this.wasReset(streamId) ? 0 : ERROR_CODE.streamClosed
    if (streamId > this.#finalStreamId) {
      // The client knows that this one is not served, and asks elsewhere: it must not be served twice.
      this.#lastOpened = streamId
      return this.resetStream(streamId, ERROR_CODE.refusedStream)
    }
    this.lastPeerStreamId = streamId
    this.#lastOpened = streamId
    this.guard.sent++
    if (verdict === HPACK_ERROR.malformed) return this.resetStream(streamId, ERROR_CODE.protocolError)
    if (this.streams.size >= this.options.maxConcurrentStreams) {
      return this.resetStream(streamId, ERROR_CODE.refusedStream)
    }
    const stream = this.#spare.pop() ?? new ServerStream(this, this.#context)
    stream.exchange.settle()
    stream.id = streamId
    this.streams.add(stream)
    let error = 0
    if (verdict === HPACK_ERROR.tooLarge) stream.refuseTooLarge(streamId, endStream)
    else error = stream.begin(streamId, endStream)
    if (this.source.isDraining) this.drain()
    return error
  }

  #onTrailers(stream: ServerStream, endStream: boolean, verdict: number): number {
    if (stream.remoteEnded) return this.resetStream(stream.id, ERROR_CODE.streamClosed)
    // Fields in the middle of a body, or such as cannot be, break the stream.
    if (!endStream || verdict !== 0) return this.resetStream(stream.id, ERROR_CODE.protocolError)
    return stream.onTrailers()
  }

  /** A stream is over. */
  reuse(stream: ServerStream): void {
    if (this.#spare.length < MAX_SPARE_STREAMS) this.#spare.push(stream)
    else stream.exchange.onDownstreamGone()
    if (this.streams.size > 0) return
    this.#idleSinceMs = this.wheel.coarseNowMs
    if (this.isGoingAway && this.#waitsFor !== 'goaway') this.end('drained')
  }

  // === bytes ===

  /** Content is kept for as long as the upstream needs to take it; all other frames are done with when they are read. */
  onLentBytes(bytes: Buffer): void {
    this.#onData(this.#prefaceAt < PREFACE.length || this.mayHoldData(bytes) ? Buffer.from(bytes) : bytes)
  }

  #onData(chunk: Buffer): void {
    if (this.isClosed) return
    const { clock } = this.#context
    clock.hold()
    try {
      let from = 0
      if (this.#prefaceAt < PREFACE.length) {
        from = Math.min(PREFACE.length - this.#prefaceAt, chunk.length)
        if (PREFACE.compare(chunk, 0, from, this.#prefaceAt, this.#prefaceAt + from) !== 0) {
          this.source.stats.downstream_cx_protocol_error.inc()
          this.fail(ERROR_CODE.protocolError)
          return
        }
        this.#prefaceAt += from
      }
      this.readFrames(chunk, from)
      if (this.isInFrame !== this.#headersTimer.armed) this.#watchHeaders()
    } catch (thrown) {
      this.#context.bugs.report('downstream', thrown)
      this.socket.destroy()
    } finally {
      clock.release()
    }
  }

  /** A frame or header block that has begun is to be ended in time; the usual one comes whole. */
  #watchHeaders(): void {
    if (!this.isInFrame || this.isClosed) this.wheel.disarm(this.#headersTimer)
    else {
      const timeoutMs = this.source.manager?.requestHeadersTimeoutMs || DEFAULT_HEADERS_TIMEOUT_MS
      this.wheel.arm(this.#headersTimer, timeoutMs)
    }
  }

  #onHeadersTimeout(): void {
    this.source.stats.downstream_rq_header_timeout.inc()
    this.fail(ERROR_CODE.protocolError)
  }

  // === life ===

  protected override onSettings(): void {
    if (this.#waitsFor !== 'preface') return
    this.#waitsFor = 'idle'
    this.#idleSinceMs = this.wheel.coarseNowMs
    this.#armIdle()
  }

  #armIdle(): void {
    const idleMs = this.source.manager?.idleTimeoutMs ?? 0
    if (idleMs > 0) this.wheel.arm(this.#timer, idleMs)
    else this.wheel.disarm(this.#timer)
  }

  #onTimer(): void {
    if (this.isClosed) {
      this.socket.destroy()
      return
    }
    if (this.#waitsFor === 'preface') this.fail(ERROR_CODE.settingsTimeout)
    else if (this.#waitsFor === 'goaway') this.#finishGoaway()
    else {
      const idleMs = this.source.manager?.idleTimeoutMs ?? 0
      const idleForMs = this.streams.size > 0 ? 0 : this.wheel.coarseNowMs - this.#idleSinceMs
      if (idleMs === 0) return
      if (idleForMs < idleMs) {
        this.wheel.arm(this.#timer, idleMs - idleForMs)
        return
      }
      this.source.stats.downstream_cx_idle_timeout.inc()
      this.writeGoaway(this.lastPeerStreamId, ERROR_CODE.noError)
      this.end('idle')
    }
  }

  /** The client has read our GOAWAY, or had time to: from here on it is told what the last stream was. */
  protected override onPingAck(): void {
    if (this.#waitsFor === 'goaway') this.#finishGoaway()
  }

  #finishGoaway(): void {
    this.wheel.disarm(this.#timer)
    this.#waitsFor = 'idle'
    this.#finalStreamId = this.lastPeerStreamId
    this.writeGoaway(this.lastPeerStreamId, ERROR_CODE.noError)
    if (this.streams.size === 0) this.end('drained')
  }

  /** A client that goes away opens no further streams; those under way are served. */
  protected override onGoaway(): void {
    this.isGoingAway = true
    if (this.streams.size === 0) this.end('client goes away')
  }

  protected override onSessionClosed(): void {
    this.wheel.disarm(this.#headersTimer)
    this.#armClose()
    for (const stream of this.streams.values()) {
      this.release(stream)
      stream.exchange.onDownstreamGone()
    }
    for (const stream of this.#spare) stream.exchange.onDownstreamGone()
    this.#spare = []
  }

  /** A slow client may take long to read the last answers; once they have left, its close is not waited for. */
  #armClose(): void {
    const isRead = this.socket.writableLength === 0 || this.socket.isPaused()
    const flushMs = this.source.manager?.streamIdleTimeoutMs || DEFAULT_FLUSH_MS
    this.wheel.arm(this.#timer, isRead ? DELAYED_CLOSE_MS : flushMs)
    if (isRead) return
    this.socket.once('finish', () => {
      if (!this.socket.destroyed) this.wheel.arm(this.#timer, DELAYED_CLOSE_MS)
    })
  }

  #onGone(): void {
    this.onSocketClosed('client closed')
    this.wheel.disarm(this.#timer)
    this.#onClosed(this)
  }
}
