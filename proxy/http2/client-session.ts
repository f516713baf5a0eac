import { WheelTimer } from '../../lib/timer-wheel.ts'
import type { Attempt } from '../upstream/attempt.ts'
import type { ConnectionPool } from '../upstream/connection-pool.ts'
import type { ByteReader, Connector } from '../upstream/connector.ts'
import type { PooledConnection } from '../upstream/upstream-stream.ts'
import { ClientStream } from './client-stream.ts'
import { ERROR_CODE, MAX_STREAM_ID, PREFACE } from './frame.ts'
import { RequestStart } from './request-start.ts'
import { Http2Session } from './session.ts'

/** What we take of an upstream's header fields: Envoy's bound of 80 KiB, as for HTTP/1.1. */
const MAX_RESPONSE_HEADER_LIST_BYTES = 80 * 1024
/** How long a connection that was given up may take to say so. */
const CLOSE_MS = 1_000
const MAX_SPARE_STREAMS = 128

/**
 * One HTTP/2 connection to an upstream host, for many exchanges at a time. The first waits until the upstream has said how
 * many it takes and whether upgrades are among them: what it would refuse is never sent.
 */
export class ClientSession extends Http2Session<ClientStream> implements ByteReader, PooledConnection {
  isListed = false
  isUnsettled = false
  readonly scheme: string
  readonly requestStart = new RequestStart()
  readonly #pool: ConnectionPool
  readonly #timer: WheelTimer
  #hasSettings = false
  #drains = false
  #isDraining = false
  #nextStreamId = 1
  #started = 0
  #active = 0
  #idleSinceMs: number
  readonly #touched: ClientStream[] = []
  #touchedCount = 0
  readonly #spare: ClientStream[] = []

  constructor(pool: ConnectionPool, connector: Connector, keepsCase: boolean) {
    const { out, wheel, bugs } = pool.context
    const { cluster } = pool
    const { socket } = connector
    super(socket, out, wheel, cluster.stats.http2, {
      isServer: false,
      maxConcurrentStreams: 0,
      maxHeaderListBytes: MAX_RESPONSE_HEADER_LIST_BYTES,
      takesExtendedConnect: false,
      keepsCase,
    })
    this.#pool = pool
    this.scheme = connector.isTls ? 'https' : 'http'
    this.#idleSinceMs = wheel.coarseNowMs
    connector.reader = this
    const guard = (handle: () => void) => bugs.guard('upstream', handle, () => socket.destroy())
    this.#timer = new WheelTimer(guard(() => this.#onTimer()))
    wheel.arm(this.#timer, cluster.plan.connectTimeoutMs)
    let detail = ''
    const onClose = guard(() => this.onSocketClosed(detail || 'connection termination'))
    const onGone = guard(() => wheel.disarm(this.#timer))
    socket.on(
      'drain',
      guard(() => this.onDrain()),
    )
    socket.on('end', onClose)
    socket.on('error', (error) => {
      detail = error.message
      onClose()
    })
    socket.on('close', onClose)
    socket.on('close', onGone)
    this.writer.copy(PREFACE, 0, PREFACE.length)
    this.writeSettings()
  }

  // === PooledConnection ===

  get room(): number {
    if (this.isClosed || this.isGoingAway || !this.#hasSettings || this.#isDraining) return 0
    if (this.#nextStreamId > MAX_STREAM_ID) return 0
    const { maxRequestsPerConnection } = this.#pool.cluster.plan
    let room = this.#streamLimit - this.#active
    if (maxRequestsPerConnection > 0) room = Math.min(room, maxRequestsPerConnection - this.#started)
    return Math.max(0, room)
  }

  get #streamLimit(): number {
    return Math.min(this.peer.maxConcurrentStreams, this.#pool.cluster.plan.maxConcurrentStreams)
  }

  start(attempt: Attempt): void {
    const isReused = this.#started > 0
    this.#started++
    this.#active++
    const stream = this.#spare.pop() ?? new ClientStream(this)
    stream.start(attempt, isReused)
  }

  /** One that is not there yet first serves who waits for it. */
  drain(): void {
    this.#drains = true
    if (this.#hasSettings) this.#beginDrain()
  }

  #beginDrain(): void {
    this.#isDraining = true
    if (this.#active === 0) this.#goAway()
  }

  close(): void {
    this.end('closed')
  }

  // === from streams ===

  nextStreamId(): number {
    const id = this.#nextStreamId
    this.#nextStreamId += 2
    return id
  }

  noteTouched(stream: ClientStream): void {
    this.#touched[this.#touchedCount++] = stream
  }

  /** A stream is over. */
  reuse(stream: ClientStream): void {
    this.#active--
    const { cluster, host, breaker } = this.#pool
    breaker.releaseRequest(host)
    if (this.#spare.length < MAX_SPARE_STREAMS) this.#spare.push(stream)
    if (this.isClosed) return
    const { maxRequestsPerConnection } = cluster.plan
    if (this.#active === 0) {
      this.#idleSinceMs = this.wheel.coarseNowMs
      const isSpent = maxRequestsPerConnection > 0 && this.#started >= maxRequestsPerConnection
      if (isSpent) cluster.stats.upstream_cx_max_requests.inc()
      if (isSpent || this.isGoingAway || this.#isDraining) {
        this.#goAway()
        return
      }
    }
    if (!this.isListed) this.#pool.onRoom(this)
  }

  // === Http2Session ===

  onBytes(bytes: Buffer): void {
    if (this.isClosed) return
    const { clock } = this.#pool.context
    clock.hold()
    try {
      this.#read(bytes)
    } finally {
      clock.release()
    }
  }

  #read(bytes: Buffer): void {
    this.readFrames(bytes, 0)
    // To make an array shorter is a call into V8's runtime.
    for (let i = 0; i < this.#touchedCount; i++) (this.#touched[i] as ClientStream).onReadPause()
    this.#touchedCount = 0
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.#nextStreamId
  }

  protected override onHeaders(streamId: number, endStream: boolean, verdict: number): number {
    const stream = this.streams.get(streamId)
    if (stream === undefined) {
      if (this.isIdle(streamId)) return ERROR_CODE.protocolError
      return this.wasReset(streamId) ? 0 : ERROR_CODE.streamClosed
    }
    if (stream.remoteEnded) return ERROR_CODE.streamClosed
    if (verdict !== 0 || !stream.onFields(endStream)) return this.#malformed(stream)
    return 0
  }

  /** A response that cannot be (RFC 9113 section 8.1.1). */
  #malformed(stream: ClientStream): number {
    this.stats.rx_messaging_error.inc()
    this.writeReset(stream.id, ERROR_CODE.protocolError)
    this.release(stream)
    stream.endBy('protocol_error', 'malformed response')
    return 0
  }

  protected override onSettings(): void {
    if (this.#hasSettings) {
      if (!this.isListed) this.#pool.onRoom(this)
      return
    }
    this.#hasSettings = true
    this.#onTimer()
    if (this.#streamLimit === 0) this.end('the upstream takes no streams')
    else this.#pool.onSettled(this, this.#streamLimit)
    if (this.#drains && !this.#isDraining) this.#beginDrain()
  }

  /** What came after the last stream that the peer takes was not looked at, and may be sent again elsewhere. */
  protected override onGoaway(lastStreamId: number): void {
    this.isGoingAway = true
    this.#pool.onUnusable(this)
    for (const stream of this.streams.values()) {
      if (stream.id <= lastStreamId) continue
      this.release(stream)
      stream.endBy('refused', 'the upstream goes away')
    }
    if (this.#active === 0) this.end('drained')
  }

  protected override onSessionClosed(detail: string): void {
    this.wheel.disarm(this.#timer)
    if (!this.socket.destroyed) this.wheel.arm(this.#timer, CLOSE_MS)
    this.#pool.onClosed(this, detail)
    const { cluster } = this.#pool
    for (const stream of this.streams.values()) {
      this.release(stream)
      cluster.stats.upstream_rq_rx_reset.inc()
      stream.endBy('reset', detail)
    }
  }

  #goAway(): void {
    if (this.isClosed) return
    this.writeGoaway(0, ERROR_CODE.noError)
    this.end('drained')
  }

  #onTimer(): void {
    if (this.isClosed) {
      this.socket.destroy()
      return
    }
    if (!this.#hasSettings) {
      this.fail(ERROR_CODE.settingsTimeout)
      return
    }
    const { idleTimeoutMs } = this.#pool.cluster.plan
    const idleForMs = this.#active > 0 ? 0 : this.wheel.coarseNowMs - this.#idleSinceMs
    if (idleTimeoutMs === 0) return
    if (idleForMs < idleTimeoutMs) this.wheel.arm(this.#timer, idleTimeoutMs - idleForMs)
    else this.#goAway()
  }
}
