import { WheelTimer } from '../../lib/timer-wheel.ts'
import { FRAMING, type RequestHead, ResponseHead } from '../stream/message.ts'
import { AT_ONCE, GATHER_BYTES } from '../stream/out-buffer.ts'
import type { Attempt, PoolFailure } from '../upstream/attempt.ts'
import { BULK_READ_BYTES, type ByteReader, Connector, type ConnectorOwner } from '../upstream/connector.ts'
import type { RawConnections } from '../upstream/raw-connections.ts'
import type { RequestTarget, UpstreamStream } from '../upstream/upstream-stream.ts'

/** How long a host may take to read what was left when both halves of a tunnel were over. */
const FLUSH_MS = 300_000
/** The answer to every CONNECT that ends here: an attempt is done with it when its call returns. */
const ESTABLISHED = new ResponseHead()

/**
 * A connection to an upstream host that carries the bytes of one request as they are, and whose bytes are those of the
 * answer: a CONNECT that ends at this proxy (RFC 9110 section 9.3.6), or a POST that may stand for one. The answer's head is of
 * our own, and is given as soon as there is a connection; each half ends by itself.
 */
export class RawStream implements UpstreamStream, ByteReader, ConnectorOwner {
  readonly isReused = false
  hasReceived = false
  readonly #connections: RawConnections
  readonly #connector: Connector
  /** Until the exchange is over. */
  #attempt: Attempt | undefined
  #isTunnel = false
  #requestIsOver = false
  #responseIsOver = false
  #isClosed = false
  #flushTimer: WheelTimer | undefined

  constructor(connections: RawConnections, attempt: Attempt) {
    const { cluster, host, context } = connections
    this.#connections = connections
    this.#attempt = attempt
    const target = {
      endpoint: host.plan,
      timeoutMs: cluster.plan.connectTimeoutMs,
      tls: host.tls,
      host: attempt.authority,
      sslStats: cluster.sslStats,
      stats: cluster.stats,
      alpnProtocols: undefined,
    }
    this.#connector = new Connector(target, this, context.wheel, context.bugs)
  }

  /** Gives up opening. Nothing is reported. */
  cancel(): void {
    this.#attempt = undefined
    this.#connector.cancel()
  }

  // === ConnectorOwner ===

  onConnected(connector: Connector): void {
    const attempt = this.#attempt as Attempt
    const { socket } = connector
    const guard = (handle: () => void) =>
      this.#connections.context.bugs.guard('upstream', handle, () => this.#onBroken('internal_error', ''))
    const onError = guard(() => this.#onClose())
    connector.reader = this
    socket.on(
      'end',
      guard(() => this.#onEnd()),
    )
    socket.on(
      'drain',
      guard(() => this.#attempt?.onWritable()),
    )
    socket.on('error', onError)
    socket.on('close', onError)
    this.#connections.onConnected(attempt)
    attempt.onStream(this)
  }

  onConnectFailed(_connector: Connector, reason: PoolFailure, detail: string): void {
    const attempt = this.#attempt as Attempt
    this.#attempt = undefined
    this.#connections.onConnectFailed(attempt, reason, detail)
  }

  // === UpstreamStream ===

  get isWritable(): boolean {
    return !this.#connector.socket.writableNeedDrain
  }

  /** Of the request nothing is passed on: the connection is there, and that is the answer. */
  writeHead(head: RequestHead, { preface }: RequestTarget, hasBody: boolean): void {
    if (preface !== undefined) this.writeData(preface)
    this.#isTunnel = head.method === 'CONNECT'
    if (!hasBody && !this.#isTunnel) this.endRequest()
    ESTABLISHED.clear()
    ESTABLISHED.status = 200
    ESTABLISHED.framing = FRAMING.untilClose
    this.#attempt?.onResponseHead(ESTABLISHED)
  }

  /** Small pieces leave with the rest of this turn. */
  writeData(data: Buffer): boolean {
    const { socket } = this.#connector
    const { out } = this.#connections.context
    if (data.length > GATHER_BYTES) {
      out.leave()
      return socket.write(data)
    }
    out.claim(AT_ONCE)
    out.copy(data, 0, data.length)
    return out.writeTo(socket)
  }

  /** Trailers have no place among the bytes of a tunnel. */
  endRequest(): void {
    this.#requestIsOver = true
    this.#connections.context.out.leave()
    this.#connector.socket.end()
    if (this.#responseIsOver) this.#finish()
  }

  abandon(): void {
    this.#detach()
    this.#connector.socket.destroy()
  }

  pauseReading(): void {
    this.#connector.socket.pause()
  }

  resumeReading(): void {
    this.#connector.socket.resume()
  }

  // === from the socket ===

  onBytes(bytes: Buffer, isStable: boolean): void {
    this.hasReceived = true
    this.#attempt?.onResponseData(bytes, isStable)
    if (bytes.length >= BULK_READ_BYTES) this.#connector.beginBulk()
    this.#attempt?.onReadPause()
  }

  #onEnd(): void {
    const attempt = this.#attempt
    this.#responseIsOver = true
    // A POST is over with its answer; in a tunnel the client may have more to say.
    if (this.#requestIsOver || !this.#isTunnel) this.#finish()
    attempt?.onResponseEnd()
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#flushTimer !== undefined) this.#connections.context.wheel.disarm(this.#flushTimer)
    this.#connections.onClosed()
    if (this.#attempt === undefined) return
    this.#connections.cluster.stats.upstream_rq_rx_reset.inc()
    this.#onBroken('reset', 'connection termination')
  }

  #onBroken(reason: 'reset' | 'internal_error', detail: string): void {
    const attempt = this.#attempt
    this.#detach()
    this.#connector.socket.destroy()
    attempt?.onReset(reason, detail)
  }

  /** Both halves are over: what was written may still leave. */
  #finish(): void {
    const { socket } = this.#connector
    const { wheel, out } = this.#connections.context
    this.#detach()
    // Paused: what was read last may not have been passed on yet.
    this.#connector.endBulk(!socket.isPaused())
    out.leave()
    socket.destroySoon()
    this.#flushTimer = new WheelTimer(() => socket.destroy())
    wheel.arm(this.#flushTimer, FLUSH_MS)
  }

  #detach(): void {
    if (this.#attempt === undefined) return
    this.#attempt = undefined
    this.#connections.cluster.breaker.releaseRequest(this.#connections.host)
  }
}
