import type { Socket } from 'node:net'
import { viewOfLent } from '../../lib/sockets/lent-memory.ts'
import { type TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'
import { FRAMING, type RequestHead, ResponseHead } from '../stream/message.ts'
import { AT_ONCE, GATHER_BYTES, type OutBuffer } from '../stream/out-buffer.ts'
import { writeRequestHead } from '../stream/request-text.ts'
import { missingWebSocketKey, webSocketAccept } from '../stream/websocket.ts'
import type { Attempt, ResetReason } from '../upstream/attempt.ts'
import type { ConnectionPool } from '../upstream/connection-pool.ts'
import { BULK_READ_BYTES, type ByteReader, type Connector } from '../upstream/connector.ts'
import type { PooledConnection, RequestTarget, UpstreamStream } from '../upstream/upstream-stream.ts'
import { BodyReader, type BodySink } from './body-reader.ts'
import { hasBareLf } from './chars.ts'
import { findHeadEnd } from './head-end.ts'
import { HEAD_ERROR } from './head-error.ts'
import { KnownResponse } from './known-response.ts'
import { parseResponseHead } from './response-parser.ts'

/** Envoy's bound for the head of an HTTP/1.1 response. */
const MAX_RESPONSE_HEAD_BYTES = 80 * 1024
/** Interim answers to one request: some say from time to time that they are still at work. */
const MAX_INTERIM_HEADS = 100

type State = 'idle' | 'head' | 'body' | 'closed'

/**
 * One HTTP/1.1 connection to an upstream host. It serves one attempt at a time and goes back to its pool when both
 * the request and the response are complete.
 */
export class ClientConnection implements BodySink, ByteReader, PooledConnection, UpstreamStream {
  isListed = false
  rosterIndex = -1
  isUnsettled = false
  readonly #socket: Socket
  readonly #connector: Connector
  readonly #out: OutBuffer
  readonly #pool: ConnectionPool
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  readonly #head = new ResponseHead()
  readonly #body = new BodyReader()
  #state: State = 'idle'
  #attempt: Attempt | undefined
  #partial: Buffer | undefined
  #exchanges = 0
  /** The request's body goes out in chunks. */
  #isChunked = false
  #requestIsWritten = false
  #responseIsRead = false
  #receivedAny = false
  #interimHeads = 0
  /** The bytes at hand stay as they are until the connection is read on. */
  #isStable = false
  /** Both halves pass bytes as they come, and end each on its own. */
  #isTunnel = false
  /** The key of our own, whose answer is our business. */
  #webSocketKey = ''
  #upstreamHalfIsOver = false
  #isDraining = false
  #idleSinceMs = 0
  #error = ''

  constructor(pool: ConnectionPool, connector: Connector) {
    const { wheel, out, bugs } = pool.context
    this.#pool = pool
    pool.knownResponse ??= new KnownResponse()
    this.#out = out
    this.#wheel = wheel
    const { socket } = connector
    this.#socket = socket
    this.#connector = connector
    connector.reader = this
    const guard = (handle: () => void) => bugs.guard('upstream', handle, () => this.#giveUp())
    this.#timer = new WheelTimer(guard(() => this.#onTimer()))
    this.#idleSinceMs = wheel.coarseNowMs
    const { idleTimeoutMs } = pool.cluster.plan
    if (idleTimeoutMs > 0) wheel.arm(this.#timer, idleTimeoutMs)
    const onEnd = guard(() => this.#onEnd())
    const onDrain = guard(() => this.#attempt?.onWritable())
    const onError = guard(() => this.#onClose(this.#error))
    const onClose = guard(() => this.#onClose(''))
    socket.on('end', onEnd)
    socket.on('drain', onDrain)
    socket.on('error', (error) => {
      this.#error = error.message
      onError()
    })
    socket.on('close', onClose)
  }

  // === PooledConnection ===

  get room(): number {
    const socket = this.#socket
    return this.#state === 'idle' && !this.#isDraining && !socket.destroyed && socket.readable ? 1 : 0
  }

  start(attempt: Attempt): void {
    this.#attempt = attempt
    this.#state = 'head'
    this.#exchanges++
    this.#requestIsWritten = false
    this.#responseIsRead = false
    this.#receivedAny = false
    this.#interimHeads = 0
    this.#isTunnel = false
    attempt.onStream(this)
  }

  drain(): void {
    this.#isDraining = true
    if (this.#attempt === undefined) this.close()
  }

  close(): void {
    if (this.#state !== 'closed') this.#socket.destroy()
  }

  // === UpstreamStream ===

  get isReused(): boolean {
    return this.#exchanges > 1
  }

  get hasReceived(): boolean {
    return this.#receivedAny
  }

  get isWritable(): boolean {
    return !this.#socket.writableNeedDrain
  }

  writeHead(head: RequestHead, target: RequestTarget, hasBody: boolean): void {
    const out = this.#out
    this.#isChunked = hasBody && head.framing === FRAMING.chunked
    out.claim(AT_ONCE)
    this.#webSocketKey = head.upgrade === '' ? '' : missingWebSocketKey(head.upgrade, head)
    writeRequestHead(out, head, target, this.#webSocketKey)
    out.writeTo(this.#socket)
    if (!hasBody) this.#onRequestWritten()
  }

  /** Small pieces leave with the rest of this turn. */
  writeData(data: Buffer): boolean {
    const out = this.#out
    const socket = this.#socket
    const isChunked = this.#isChunked
    if (data.length <= GATHER_BYTES) {
      out.claim(AT_ONCE)
      if (isChunked) out.text(`${data.length.toString(16)}\r\n`)
      out.copy(data, 0, data.length)
      if (isChunked) out.text('\r\n')
      return out.writeTo(socket)
    }
    out.leave()
    if (isChunked) socket.write(`${data.length.toString(16)}\r\n`, 'latin1')
    const isReady = socket.write(data)
    return isChunked ? socket.write('\r\n', 'latin1') : isReady
  }

  endRequest(trailers: string): void {
    const out = this.#out
    if (this.#isTunnel) {
      out.leave()
      this.#socket.end()
    } else if (this.#isChunked) {
      out.claim(AT_ONCE)
      out.text(`0\r\n${trailers}\r\n`)
      out.writeTo(this.#socket)
    }
    this.#onRequestWritten()
  }

  #onRequestWritten(): void {
    this.#requestIsWritten = true
    if (this.#responseIsRead) this.#finish()
  }

  /** The connection cannot be used again: nobody reads what would still come. */
  abandon(): void {
    this.#detach()
    this.close()
  }

  pauseReading(): void {
    this.#socket.pause()
  }

  resumeReading(): void {
    this.#socket.resume()
  }

  // --- body, from the reader ---

  onBodyData(data: Buffer): void {
    this.#attempt?.onResponseData(data, this.#isStable)
  }

  onTrailers(lines: string): void {
    this.#attempt?.onResponseTrailers(lines)
  }

  onBodyEnd(): void {
    this.#responseIsRead = true
  }

  // === from the socket ===

  #onTimer(): void {
    const { idleTimeoutMs } = this.#pool.cluster.plan
    const idleForMs = this.#attempt === undefined ? this.#wheel.coarseNowMs - this.#idleSinceMs : 0
    if (idleTimeoutMs === 0) return
    // Not touched for each exchange: it looks when it fires how long the connection has been idle.
    if (idleForMs < idleTimeoutMs) this.#wheel.arm(this.#timer, idleTimeoutMs - idleForMs)
    else this.close()
  }

  onBytes(chunk: Buffer, isStable: boolean): void {
    if (this.#attempt === undefined) {
      // Bytes that answer nothing: this connection cannot be trusted any more.
      if (this.#state !== 'closed') {
        this.#pool.cluster.stats.upstream_cx_protocol_error.inc()
        this.close()
      }
      return
    }
    this.#receivedAny = true
    this.#isStable = isStable
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
    else {
      if (chunk.length >= BULK_READ_BYTES) this.#connector.beginBulk()
      this.#attempt?.onReadPause()
    }
  }

  /** Reads up to a final head. Returns the position after it, or -1 when there is nothing more to do now. */
  #readHeads(bytes: Buffer): number {
    let pos = 0
    for (;;) {
      const attempt = this.#attempt
      if (attempt === undefined) return -1
      pos = this.#readNextHead(bytes, pos, attempt.method)
      if (pos < 0) return -1
      const { status } = this.#head
      if (status === 101 && !this.#requestIsWritten) {
        // The rest of the request would be the first of the tunnel's bytes.
        this.#reset('protocol_error', 'upgraded before the request was complete')
        return -1
      }
      if (status === 101 || (status < 300 && status >= 200 && attempt.method === 'CONNECT')) {
        if (this.#webSocketKey !== '' && !this.#takeWebSocketAccept()) {
          this.#reset('protocol_error', 'wrong sec-websocket-accept')
          return -1
        }
        this.#isTunnel = true
        this.#isChunked = false
        this.#requestIsWritten = false
        this.#head.framing = FRAMING.untilClose
      } else if (status < 200) {
        // Other interim answers are the business of this hop.
        if (++this.#interimHeads <= MAX_INTERIM_HEADS) continue
        this.#reset('protocol_error', 'too many interim responses')
        return -1
      }
      this.#state = 'body'
      this.#body.begin(this.#head.framing, this.#head.contentLength)
      if (!this.#body.active) this.#responseIsRead = true
      attempt.onResponseHead(this.#head)
      return pos
    }
  }

  /** Returns the position after a head, or -1 when it is not whole or not well. */
  #readNextHead(bytes: Buffer, pos: number, method: string): number {
    const view = viewOfLent(bytes)
    const known = method === 'HEAD' || method === 'CONNECT' ? undefined : this.#pool.knownResponse
    const knownEnd = known?.show(bytes, view, pos, this.#head) ?? -1
    if (knownEnd >= 0) return knownEnd
    const end = findHeadEnd(bytes, pos)
    const size = (end < 0 ? bytes.length : end) - pos
    if (size > MAX_RESPONSE_HEAD_BYTES) {
      this.#reset('protocol_error', 'response head is too large')
      return -1
    }
    if (end < 0) {
      if (hasBareLf(bytes, pos)) this.#reset('protocol_error', HEAD_ERROR.codec.detail)
      else if (size > 0) this.#partial = Buffer.from(bytes.subarray(pos))
      return -1
    }
    const error = parseResponseHead(bytes, pos, end, this.#head, method)
    this.#head.view = view
    if (error !== undefined) {
      this.#reset('protocol_error', error.detail)
      return -1
    }
    known?.note(view, pos, end + 4, this.#head)
    return end + 4
  }

  /** Checks the answer to our own key, which is not passed on. */
  #takeWebSocketAccept(): boolean {
    const accept = this.#head.get('sec-websocket-accept')
    this.#head.remove('sec-websocket-accept')
    return accept === webSocketAccept(this.#webSocketKey)
  }

  #onResponseRead(hasMore: boolean): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    if (hasMore) this.#head.keepAlive = false
    if (this.#requestIsWritten) this.#finish()
    else if (this.#isTunnel) {
      this.#upstreamHalfIsOver = true
      attempt.onResponseEnd()
    } else {
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
    const reusable = this.#head.keepAlive && !spent && !this.#isTunnel && this.#state !== 'closed'
    const socket = this.#socket
    this.#state = 'idle'
    this.#idleSinceMs = this.#wheel.coarseNowMs
    // Paused: what was read last may not have been passed on yet.
    this.#connector.endBulk(!socket.isPaused())
    if (socket.isPaused()) socket.resume()
    // Free first: the end of this answer may bring the next request at once.
    if (reusable && this.room > 0) this.#pool.onRoom(this)
    else if (this.#isTunnel) socket.destroySoon()
    else this.close()
    if (!this.#upstreamHalfIsOver) attempt.onResponseEnd()
  }

  /** After a bug: neither this connection nor the exchange on it can go on. */
  #giveUp(): void {
    const attempt = this.#attempt
    this.#detach()
    this.#socket.destroy()
    attempt?.onReset('internal_error', '')
  }

  #detach(): void {
    if (this.#attempt === undefined) return
    this.#attempt = undefined
    this.#pool.breaker.releaseRequest(this.#pool.host)
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
    this.#socket.destroy()
  }

  #onClose(detail: string): void {
    if (this.#state === 'closed') return
    const attempt = this.#attempt
    this.#state = 'closed'
    this.#wheel.disarm(this.#timer)
    this.#detach()
    this.#pool.onClosed(this, detail)
    if (attempt === undefined) return
    this.#pool.cluster.stats.upstream_rq_rx_reset.inc()
    attempt.onReset('reset', detail === '' ? 'connection termination' : detail)
  }
}
