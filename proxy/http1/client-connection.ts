import { connect, type Socket } from 'node:net'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'
import type { BugReporter } from '../stream/bugs.ts'
import { ResponseHead } from '../stream/message.ts'
import { AT_ONCE, GATHER_BYTES, type OutBuffer } from '../stream/out-buffer.ts'
import type { Attempt, ResetReason } from '../upstream/attempt.ts'
import type { ConnectionPool } from '../upstream/pool.ts'
import { BodyReader, type BodySink } from './body-reader.ts'
import { parseResponseHead } from './response-parser.ts'

/** Envoy's bound for the head of an HTTP/1.1 response. */
const MAX_RESPONSE_HEAD_BYTES = 80 * 1024
const HEAD_END = Buffer.from('\r\n\r\n')

/**
 * Where all upstream connections read into: a callback is done with the bytes when it returns, so that no buffer is
 * allocated for a read.
 */
const READ_BUFFER = Buffer.allocUnsafeSlow(64 * 1024)

type State = 'connecting' | 'idle' | 'head' | 'body' | 'tunnel' | 'closed'

/**
 * One HTTP/1.1 connection to an upstream host. It serves one attempt at a time and goes back to its pool when both
 * the request and the response are complete.
 */
export class ClientConnection implements BodySink {
  readonly socket: Socket
  readonly out: OutBuffer
  readonly #pool: ConnectionPool
  readonly #bugs: BugReporter
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  readonly #head = new ResponseHead()
  readonly #body = new BodyReader()
  #state: State = 'connecting'
  #attempt: Attempt | undefined
  #partial: Buffer | undefined
  #exchanges = 0
  #requestIsWritten = false
  #responseIsRead = false
  #receivedAny = false
  #idleSinceMs = 0
  #error = ''

  constructor(pool: ConnectionPool, wheel: TimerWheel, out: OutBuffer, bugs: BugReporter) {
    this.#pool = pool
    this.#bugs = bugs
    this.out = out
    this.#wheel = wheel
    const { plan } = pool.host
    const where = plan.unixPath === '' ? { host: plan.address, port: plan.port } : { path: plan.unixPath }
    this.socket = connect({
      ...where,
      noDelay: true,
      // An upgraded connection may be closed one way only.
      allowHalfOpen: true,
      onread: { buffer: READ_BUFFER, callback: (length) => this.#onRead(length) },
    })
    const guard = (handle: () => void) => bugs.guard('upstream', handle, () => this.#giveUp())
    this.#timer = new WheelTimer(guard(() => this.#onTimer()))
    wheel.arm(this.#timer, pool.cluster.plan.connectTimeoutMs)
    this.socket.on(
      'connect',
      guard(() => this.#onConnect()),
    )
    this.socket.on(
      'end',
      guard(() => this.#onEnd()),
    )
    this.socket.on(
      'drain',
      guard(() => this.#attempt?.onWritable()),
    )
    this.socket.on('error', (error) => {
      this.#error = error.message
      onError()
    })
    const onError = guard(() => this.#onError(this.#error))
    this.socket.on(
      'close',
      guard(() => this.#onClose('')),
    )
  }

  get isUsable(): boolean {
    return this.#state === 'idle' && !this.socket.destroyed && this.socket.readable
  }

  /** Whether the exchange under way came after another on this connection: it may have met a close on its way. */
  get isReused(): boolean {
    return this.#exchanges > 1
  }

  /** Whether any byte of a response to the exchange under way has come. */
  get hasReceived(): boolean {
    return this.#receivedAny
  }

  start(attempt: Attempt): void {
    this.#attempt = attempt
    this.#state = 'head'
    this.#exchanges++
    this.#requestIsWritten = false
    this.#responseIsRead = false
    this.#receivedAny = false
    attempt.onConnection(this)
  }

  /** Writes a piece of the request: small ones leave with the rest of this turn. False asks to wait for onWritable. */
  write(data: string | Buffer): boolean {
    const { out } = this
    if (data.length > GATHER_BYTES && typeof data !== 'string') {
      out.leave()
      return this.socket.write(data)
    }
    out.claim(AT_ONCE)
    if (typeof data === 'string') out.text(data)
    else out.copy(data, 0, data.length)
    return out.writeTo(this.socket)
  }

  /** The request is completely written. */
  endRequest(): void {
    this.#requestIsWritten = true
    if (this.#responseIsRead) this.#finish()
  }

  /** Gives the exchange up: the connection cannot be used again. No ending is reported. */
  abandon(): void {
    this.#detach()
    this.close()
  }

  pauseReading(): void {
    this.socket.pause()
  }

  resumeReading(): void {
    this.socket.resume()
  }

  /** Nothing waits for this connection. Its timer is not touched: it looks when it fires how long that has been so. */
  noteIdle(): void {
    this.#idleSinceMs = this.#wheel.coarseNowMs
  }

  close(): void {
    if (this.#state !== 'closed') this.socket.destroy()
  }

  /**
   * Hands the socket over after a 101: from now on bytes pass as they come. Returns what had been read beyond the head.
   */
  becomeTunnel(): Buffer | undefined {
    this.out.leave()
    const early = this.#partial
    this.#partial = undefined
    this.#detach()
    this.#state = 'tunnel'
    this.socket.removeAllListeners('end')
    this.socket.removeAllListeners('drain')
    return early
  }

  // --- body, from the reader ---

  onBodyData(data: Buffer): void {
    this.#attempt?.onResponseData(data)
  }

  onTrailers(lines: string): void {
    this.#attempt?.onResponseTrailers(lines)
  }

  onBodyEnd(): void {
    this.#responseIsRead = true
  }

  // --- socket ---

  #onConnect(): void {
    this.#state = 'idle'
    this.#idleSinceMs = this.#wheel.coarseNowMs
    const { idleTimeoutMs } = this.#pool.cluster.plan
    if (idleTimeoutMs > 0) this.#wheel.arm(this.#timer, idleTimeoutMs)
    else this.#wheel.disarm(this.#timer)
    this.#pool.onConnected(this)
  }

  #onTimer(): void {
    if (this.#state === 'connecting') {
      this.#pool.cluster.stats.upstream_cx_connect_timeout.inc()
      this.#failConnect('connect_timeout', 'connection timeout')
      return
    }
    const { idleTimeoutMs } = this.#pool.cluster.plan
    const idleForMs = this.#attempt === undefined ? this.#wheel.coarseNowMs - this.#idleSinceMs : 0
    if (this.#state === 'tunnel' || idleTimeoutMs === 0) return
    if (idleForMs < idleTimeoutMs) this.#wheel.arm(this.#timer, idleTimeoutMs - idleForMs)
    else this.close()
  }

  /** Bytes are in the common buffer until this returns: what is kept longer is copied. */
  #onRead(length: number): boolean {
    const chunk = READ_BUFFER.subarray(0, length)
    try {
      if (this.#state === 'tunnel') this.socket.emit('data', Buffer.from(chunk))
      else this.#onData(chunk)
    } catch (thrown) {
      this.#bugs.report('upstream', thrown)
      this.#giveUp()
    }
    return true
  }

  #onData(chunk: Buffer): void {
    if (this.#attempt === undefined) {
      // Bytes that answer nothing: this connection cannot be trusted any more.
      if (this.#state !== 'closed') {
        this.#pool.cluster.stats.upstream_cx_protocol_error.inc()
        this.close()
      }
      return
    }
    this.#receivedAny = true
    let bytes = chunk
    if (this.#partial !== undefined) {
      bytes = Buffer.concat([this.#partial, chunk])
      this.#partial = undefined
    }
    let pos = 0
    if (this.#state === 'head') {
      pos = this.#readHeads(bytes)
      if (pos < 0) return
    }
    if (this.#body.active && pos < bytes.length) {
      pos = this.#body.read(bytes, pos, this)
      if (pos < 0) {
        this.#reset('protocol_error', 'invalid chunked body')
        return
      }
    }
    if (this.#responseIsRead) this.#onResponseRead(pos < bytes.length)
    else this.#attempt?.onReadPause()
  }

  /** Reads up to a final head. Returns the position after it, or -1 when there is nothing more to do now. */
  #readHeads(bytes: Buffer): number {
    let pos = 0
    for (;;) {
      const end = bytes.indexOf(HEAD_END, pos)
      if (end < 0) {
        if (bytes.length - pos > MAX_RESPONSE_HEAD_BYTES) this.#reset('protocol_error', 'response head is too large')
        else if (pos < bytes.length) this.#partial = Buffer.from(bytes.subarray(pos))
        return -1
      }
      const attempt = this.#attempt
      if (attempt === undefined) return -1
      const error = parseResponseHead(bytes, pos, end, this.#head, attempt.method)
      if (error !== undefined) {
        this.#reset('protocol_error', error.detail)
        return -1
      }
      pos = end + 4
      const { status } = this.#head
      if (status === 101) {
        if (pos < bytes.length) this.#partial = Buffer.from(bytes.subarray(pos))
        attempt.onResponseHead(this.#head)
        return -1
      }
      // Other interim answers are the business of this hop: the proxy has said 100 itself if it was asked to.
      if (status < 200) continue
      this.#state = 'body'
      this.#body.begin(this.#head.framing, this.#head.contentLength)
      if (!this.#body.active) this.#responseIsRead = true
      attempt.onResponseHead(this.#head)
      return pos
    }
  }

  #onResponseRead(hasMore: boolean): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    if (hasMore) this.#head.keepAlive = false
    if (this.#requestIsWritten) this.#finish()
    else {
      // The answer came before the request was complete: the rest of it must not be sent into the next exchange.
      this.#detach()
      attempt.onResponseEnd()
      this.close()
    }
  }

  #finish(): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    this.#detach()
    const { cluster } = this.#pool
    const spent = cluster.plan.maxRequestsPerConnection > 0 && this.#exchanges >= cluster.plan.maxRequestsPerConnection
    if (spent) cluster.stats.upstream_cx_max_requests.inc()
    const reusable = this.#head.keepAlive && !spent && !this.socket.destroyed && this.socket.readable
    this.#state = 'idle'
    if (this.socket.isPaused()) this.socket.resume()
    // Free first: the end of this answer may bring the next request at once.
    if (reusable) this.#pool.onIdle(this)
    else this.close()
    attempt.onResponseEnd()
  }

  /** After a bug: neither this connection nor the exchange on it can go on. */
  #giveUp(): void {
    const attempt = this.#attempt
    this.#detach()
    this.socket.destroy()
    attempt?.onReset('internal_error', '')
  }

  #detach(): void {
    if (this.#attempt === undefined) return
    this.#attempt = undefined
    this.#pool.cluster.releaseRequest(this.#pool.host)
  }

  #reset(reason: ResetReason, detail: string): void {
    const attempt = this.#attempt
    if (reason === 'protocol_error') this.#pool.cluster.stats.upstream_cx_protocol_error.inc()
    this.#detach()
    this.close()
    attempt?.onReset(reason, detail)
  }

  #onEnd(): void {
    if (this.#attempt !== undefined && this.#body.active && this.#body.endOfInput(this)) {
      this.#onResponseRead(false)
      return
    }
    this.#onClose('connection termination')
    this.socket.destroy()
  }

  #onError(message: string): void {
    if (this.#state === 'connecting') this.#failConnect('connect_failure', message)
    else this.#onClose(message)
  }

  #failConnect(reason: 'connect_failure' | 'connect_timeout', detail: string): void {
    this.#state = 'closed'
    this.#wheel.disarm(this.#timer)
    this.#pool.cluster.stats.upstream_cx_connect_fail.inc()
    this.socket.destroy()
    this.#pool.onConnectFailed(this, reason, detail)
  }

  #onClose(detail: string): void {
    if (this.#state === 'closed') return
    const attempt = this.#attempt
    this.#state = 'closed'
    this.#wheel.disarm(this.#timer)
    this.#detach()
    this.#pool.onClosed(this)
    if (attempt === undefined) return
    this.#pool.cluster.stats.upstream_rq_rx_reset.inc()
    attempt.onReset('reset', detail === '' ? 'connection termination' : detail)
  }
}
