import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { type LentReader, lendTo } from '../../lib/sockets/shared-read-socket.ts'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import { type ConnectionFacts, schemeOf } from '../decide/connection-facts.ts'
import type { HttpManagerPlan } from '../plan/plan.ts'
import type { StreamContext } from '../stream/context.ts'
import type { Downstream } from '../stream/downstream.ts'
import { Exchange } from '../stream/exchange.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { ManagerStats } from '../stream/manager-stats.ts'
import { FRAMING, type Framing, RequestHead } from '../stream/message.ts'
import { GATHER_BYTES } from '../stream/out-buffer.ts'
import { tellRefused } from '../stream/refused-call.ts'
import { BodyReader, type BodySink, requestTrailersAreValid } from './body-reader.ts'
import { CR, hasBareLf, LF } from './chars.ts'
import { findHeadEnd } from './head-end.ts'
import { HEAD_ERROR, type HeadError } from './head-error.ts'
import { KeptBytes } from './kept-bytes.ts'
import { parseRequestHead } from './request-parser.ts'

const CRLF = Buffer.from('\r\n')
/** How HTTP/2 begins: the reserved method PRI and its space (RFC 9113 section 3.4). */
const PREFACE_START = 'PRI '
const TELLING_BYTES = PREFACE_START.length
/** How long a client may take for a request's head when the configuration does not say (slow-loris). */
const DEFAULT_HEADERS_TIMEOUT_MS = 60_000
/** How long we wait for a client to close after an answer that ends the connection (Envoy's delayed_close_timeout). */
const DELAYED_CLOSE_MS = 1_000
/** How long a client may take to read what was written before (Envoy's stream_flush_timeout), when nothing is set. */
const DEFAULT_FLUSH_MS = 300_000

/** Where a connection gets its connection manager from, asked anew before each request: a listener may have changed. */
export interface ManagerSource {
  /** undefined once the listener no longer takes such connections. */
  readonly manager: HttpManagerPlan | undefined
  readonly stats: ManagerStats
  /** The listener is draining: answers close their connections. */
  readonly isDraining: boolean
}

/** One HTTP/1.1 connection from a client: requests in order, one at a time. */
export class ServerConnection implements Downstream, BodySink, LentReader {
  /** Owned by the listener. */
  rosterIndex = -1
  readonly head = new RequestHead()
  readonly facts: ConnectionFacts
  readonly #socket: Socket
  readonly #context: StreamContext
  readonly #source: ManagerSource
  readonly #scheme: string
  readonly #exchange: Exchange
  readonly #body = new BodyReader(requestTrailersAreValid)
  readonly #timer: WheelTimer
  readonly #handlers: { data(chunk: Buffer): void; end(): void; drain(): void; close(): void }
  /** Called with the first bytes when they begin as HTTP/2 does; gone once they have come. */
  #onPreface: ((bytes: Buffer) => void) | undefined
  #manager: HttpManagerPlan | undefined
  /** Bytes that came and were not read yet: part of a head, or what follows the request under way. */
  #pending: Buffer | undefined
  /** The head of the request under way, when it was read from the common buffer. */
  readonly #kept = new KeptBytes()
  #isReading = false
  #requestIsRead = true
  #responseFraming: Framing = FRAMING.none
  #responseStarted = false
  /** A piece that is only lent has not left yet. */
  #holdsStable = false
  #closeAfterResponse = false
  #clientEnded = false
  /** Our last answer is written: whatever else comes is read away. */
  #isClosing = false
  #isTunnel = false
  /** What the timer is armed for. */
  #waitsFor: 'idle' | 'headers' | 'request' | 'drain' | 'flush' | 'close' = 'idle'
  #idleSinceMs = 0
  #isClosed = false
  #onClosed: (connection: ServerConnection) => void

  constructor(
    socket: Socket,
    facts: ConnectionFacts,
    context: StreamContext,
    source: ManagerSource,
    onClosed: (connection: ServerConnection) => void,
    onPreface?: (bytes: Buffer) => void,
  ) {
    this.#socket = socket
    this.#context = context
    this.#source = source
    this.facts = facts
    this.#scheme = schemeOf(facts)
    this.#onClosed = onClosed
    this.#exchange = new Exchange(context, this)
    const guard = (handle: () => void) => context.bugs.guard('downstream', handle, () => socket.destroy())
    this.#timer = new WheelTimer(guard(() => this.#onTimer()))
    this.#onPreface = onPreface
    this.#handlers = {
      data: (chunk) => this.#onData(chunk),
      end: guard(() => this.#onEnd()),
      drain: guard(() => this.#onDrain()),
      close: guard(() => this.#onClose()),
    }
    lendTo(socket, this)
    socket.on('data', this.#handlers.data)
    socket.on('end', this.#handlers.end)
    socket.on('drain', this.#handlers.drain)
    socket.on('error', this.#handlers.close)
    socket.on('close', this.#handlers.close)
    this.#idleSinceMs = context.wheel.coarseNowMs
    this.#armIdle()
  }

  get isIdle(): boolean {
    return !this.#exchange.isActive
  }

  /**
   * Closes after its next answer, which says so: a request may be on its way to us, and a connection that is closed under
   * it loses it. One on which none comes closes after `idleGraceMs`. Tunnels go on.
   */
  drain(idleGraceMs: number): void {
    this.#closeAfterResponse = true
    if (!this.isIdle || this.#isClosing || this.#isTunnel) return
    if (idleGraceMs === 0) this.#closeGently()
    else if (this.#waitsFor === 'idle') {
      this.#waitsFor = 'drain'
      this.#context.wheel.arm(this.#timer, idleGraceMs)
    }
  }

  // === Downstream: what the exchange asks ===

  writeHead(status: number, fields: HeaderBlock, hasStartLine: boolean, framing: Framing): void {
    const { head } = this
    const { out } = this.#context
    const hasBody = framing !== FRAMING.none
    let own = ''
    this.#responseFraming = framing
    this.#responseStarted = true
    if (framing === FRAMING.untilClose || framing === FRAMING.chunked) {
      // A body of unknown length is chunked for those who know chunks, and ended by closing for the others.
      if (head.minorVersion === 1) {
        this.#responseFraming = FRAMING.chunked
        own = 'transfer-encoding: chunked\r\n'
      } else {
        this.#responseFraming = FRAMING.untilClose
        this.#closeAfterResponse = true
      }
    }
    if (!head.keepAlive || this.#source.isDraining || !this.#requestIsRead) this.#closeAfterResponse = true
    if (this.#asksForTunnel && !this.#isAgreement(status)) this.#closeAfterResponse = true
    if (status === 101) own += `connection: Upgrade\r\nupgrade: ${head.upgrade}\r\n`
    else {
      if (this.#closeAfterResponse) own += 'connection: close\r\n'
      else if (head.minorVersion === 0) own += 'connection: keep-alive\r\n'
    }
    if (!hasBody) {
      this.#responseFraming = FRAMING.none
      // Over HTTP/2 a stream's end says that nothing follows; here it has to be said.
      if (this.#needsLength(status) && !fields.has('content-length')) own += 'content-length: 0\r\n'
    }
    out.claim(this)
    if (!hasStartLine) out.text(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`)
    fields.writeLines(out, hasStartLine)
    if (own !== '') out.text(own)
    out.text('\r\n')
  }

  get #asksForTunnel(): boolean {
    return this.head.upgrade !== '' || this.head.method === 'CONNECT'
  }

  /**
   * Whether the tunnel that was asked for comes about. If not, the connection ends: what stands behind the request may
   * have been meant for the tunnel, and must not be read as requests.
   */
  #isAgreement(status: number): boolean {
    return status === 101 || (this.head.method === 'CONNECT' && status < 300)
  }

  /** Whether an answer without content must say so: all must but those that never have any (RFC 9112 section 6.3). */
  #needsLength(status: number): boolean {
    const { method } = this.head
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD') return false
    return method !== 'CONNECT' || status >= 300
  }

  writeData(data: Buffer, isStable: boolean): boolean {
    const chunked = this.#responseFraming === FRAMING.chunked
    const socket = this.#socket
    const { out } = this.#context
    out.claim(this)
    if (data.length <= GATHER_BYTES) {
      if (chunked) out.text(`${data.length.toString(16)}\r\n`)
      out.copy(data, 0, data.length)
      if (chunked) out.text('\r\n')
      if (out.length > GATHER_BYTES * 4) return this.#flush()
      return !socket.writableNeedDrain
    }
    if (isStable) return this.#writeStable(data, chunked)
    // What waits, the piece and its framing become one buffer of their own: the piece is only lent, and must be copied.
    if (chunked) out.text(`${data.length.toString(16)}\r\n`)
    const before = out.take()
    out.leave()
    return socket.write(Buffer.concat(chunked ? [before, data, CRLF] : [before, data]))
  }

  /** A large piece whose bytes stay as they are until we say that they may go: nothing of it is copied. */
  #writeStable(data: Buffer, chunked: boolean): boolean {
    const socket = this.#socket
    const { out } = this.#context
    if (chunked) out.text(`${data.length.toString(16)}\r\n`)
    if (out.length > 0) out.writeTo(socket)
    out.leave()
    socket.write(data, this.#onStableWritten)
    if (chunked) socket.write(CRLF)
    this.#holdsStable = socket.writableLength > 0
    return !this.#holdsStable
  }

  /** The kernel has the piece. */
  readonly #onStableWritten = (): void => {
    if (!this.#holdsStable || this.#isClosed || this.#socket.writableNeedDrain) return
    this.#holdsStable = false
    this.#exchange.onDownstreamWritable()
  }

  endResponse(trailers: string): void {
    if (this.#responseFraming === FRAMING.chunked) {
      const { out } = this.#context
      out.claim(this)
      out.text(`0\r\n${trailers}\r\n`)
    }
    this.#flush()
    if (this.#isTunnel) {
      this.#context.out.leave()
      this.#socket.end()
      return
    }
    if (this.#closeAfterResponse || !this.#requestIsRead) {
      // First, so that it is seen whether the kernel takes all of it.
      this.#context.out.leave()
      if (this.#isLastForClient) this.#closeNow()
      else this.#closeGently()
      return
    }
    this.#idleSinceMs = this.#context.wheel.coarseNowMs
    // Inside #read() the loop goes on by itself; else what the client has already sent is read now.
    if (!this.#isReading) this.#read()
  }

  flush(): void {
    this.#flush()
  }

  writeContinue(): void {
    this.#context.out.leave()
    this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
  }

  pauseReading(): void {
    this.#socket.pause()
  }

  resumeReading(): void {
    this.#socket.resume()
  }

  destroy(): void {
    // Where the close ends the body, only a reset says that it was cut.
    const looksWhole = this.#responseStarted && this.#responseFraming === FRAMING.untilClose
    if (looksWhole && this.facts.tls === undefined) this.#socket.resetAndDestroy()
    else this.#socket.destroy()
  }

  becomeTunnel(): void {
    this.#isTunnel = true
    this.#context.wheel.disarm(this.#timer)
    this.#requestIsRead = false
    this.#body.begin(FRAMING.untilClose, 0)
    // What came behind the request was held until the upstream had agreed.
    if (!this.#isReading) this.#read()
    if (this.#clientEnded && this.#body.active) this.#body.endOfInput(this)
    this.#socket.resume()
  }

  #flush(): boolean {
    const { out } = this.#context
    return out.isOwnedBy(this) ? out.writeTo(this.#socket) : !this.#socket.writableNeedDrain
  }

  // === reading ===

  onLentBytes(bytes: Buffer): void {
    // A request under way still needs its head, and somebody may hold its body: what follows is copied to another place.
    const isFree = this.#pending === undefined && !this.#exchange.isActive && !this.#isTunnel
    if (isFree) this.#exchange.settle()
    this.#onData(isFree ? this.#kept.keep(bytes) : Buffer.from(bytes))
  }

  #onData(chunk: Buffer): void {
    if (this.#isClosing) return
    if (this.#onPreface !== undefined && this.#isPreface(chunk)) return
    this.#pending = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk])
    this.#read()
  }

  /** Looks at the first bytes. True when the connection is another codec's from here on. */
  #isPreface(chunk: Buffer): boolean {
    const bytes = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk])
    if (bytes.length < TELLING_BYTES && PREFACE_START.startsWith(bytes.toString('latin1'))) return false
    const onPreface = this.#onPreface
    this.#onPreface = undefined
    if (onPreface === undefined || bytes.toString('latin1', 0, TELLING_BYTES) !== PREFACE_START) return false
    this.#letGo()
    onPreface(bytes)
    return true
  }

  /** Leaves the socket to somebody else. */
  #letGo(): void {
    const socket = this.#socket
    this.#isClosed = true
    this.#pending = undefined
    this.#context.wheel.disarm(this.#timer)
    this.#exchange.onDownstreamGone()
    lendTo(socket, undefined)
    socket.off('data', this.#handlers.data)
    socket.off('end', this.#handlers.end)
    socket.off('drain', this.#handlers.drain)
    socket.off('error', this.#handlers.close)
    socket.off('close', this.#handlers.close)
  }

  /** Reads what has come as far as it can be served now. Nothing is thrown from here, whoever called. */
  #read(): void {
    this.#isReading = true
    try {
      while (this.#pending !== undefined && !this.#isHeldBack) {
        const bytes = this.#pending
        const pos = this.#body.active ? this.#readBody(bytes) : this.#readHead(bytes)
        if (pos === 0) break
        this.#pending = pos < bytes.length ? this.#rest(bytes, pos) : undefined
      }
      if (!this.#isClosing && !this.#isClosed) this.#afterRead()
    } catch (thrown) {
      this.#context.bugs.report('downstream', thrown)
      this.#socket.destroy()
    }
    this.#isReading = false
  }

  /** Only heads stay in the kept bytes: what follows one may be needed for longer. */
  #rest(bytes: Buffer, pos: number): Buffer {
    const rest = bytes.subarray(pos)
    return this.#kept.isKept(bytes) ? Buffer.from(rest) : rest
  }

  /**
   * The next request waits until this one is answered and the client has taken most of the answer: who asks and asks
   * but never reads must not fill our memory.
   */
  get #isHeldBack(): boolean {
    if (this.#isClosing || this.#isClosed) return true
    return this.#requestIsRead && (this.#exchange.isActive || this.#socket.writableNeedDrain)
  }

  #afterRead(): void {
    const socket = this.#socket
    if (this.#pending !== undefined && this.#isHeldBack) socket.pause()
    else if (this.#exchange.isActive || this.#isTunnel) return
    else if (this.#clientEnded) this.#closeGently()
    else if (socket.isPaused()) socket.resume()
  }

  #onDrain(): void {
    this.#holdsStable = false
    this.#exchange.onDownstreamWritable()
    if (!this.#exchange.isActive && this.#pending !== undefined) this.#read()
  }

  /** Returns how many bytes were used; 0 when more are needed or the connection is done for. */
  #readHead(bytes: Buffer): number {
    let start = 0
    // RFC 9112 section 2.2: an empty line before a request is passed over.
    while (start < 4 && bytes[start] === CR && bytes[start + 1] === LF) start += 2
    const manager = this.#source.manager
    if (manager === undefined) {
      this.#socket.destroy()
      return 0
    }
    const end = findHeadEnd(bytes, start)
    const size = (end < 0 ? bytes.length : end) - start
    if (size > manager.maxRequestHeadersBytes) return this.#refuse(manager, HEAD_ERROR.headersTooLarge)
    if (end < 0) {
      if (hasBareLf(bytes, start)) return this.#refuse(manager, HEAD_ERROR.codec)
      if (size > 0) this.#armHeaders(manager)
      return 0
    }
    this.#exchange.settle()
    const error = parseRequestHead(bytes, start, end, this.head)
    this.head.view = this.#kept.viewOf(bytes)
    if (error !== undefined) return this.#refuse(manager, error)
    this.#beginRequest(manager)
    return end + 4
  }

  #beginRequest(manager: HttpManagerPlan): void {
    const { head } = this
    head.scheme = this.#scheme
    this.#manager = manager
    this.#responseStarted = false
    this.#body.begin(head.framing, head.contentLength)
    this.#requestIsRead = !this.#body.active
    if (manager.requestTimeoutMs > 0 && !this.#requestIsRead) {
      this.#waitsFor = 'request'
      this.#context.wheel.arm(this.#timer, manager.requestTimeoutMs)
    } else this.#waitsFor = 'idle'
    this.#exchange.begin(manager, this.#source.stats)
  }

  #readBody(bytes: Buffer): number {
    const pos = this.#body.read(bytes, 0, this)
    if (pos >= 0) return pos
    if (!this.#responseStarted) return this.#refuseRest(this.#manager as HttpManagerPlan, HEAD_ERROR.chunkInvalid)
    this.#exchange.onDownstreamClosed()
    this.#source.stats.downstream_cx_protocol_error.inc()
    this.#socket.destroy()
    return 0
  }

  onBodyData(data: Buffer): void {
    this.#exchange.onRequestData(data)
  }

  onTrailers(lines: string): void {
    this.#exchange.onRequestTrailers(lines)
  }

  onBodyEnd(): void {
    this.#requestIsRead = true
    this.#waitsFor = 'idle'
    this.#exchange.onRequestEnd()
  }

  /** Answers bytes that are no request, and closes: what follows them cannot be trusted. */
  #refuse(manager: HttpManagerPlan, error: HeadError, elapsedMs = 0): 0 {
    this.#source.stats.downstream_rq_total.inc()
    tellRefused(this.#context, manager, this.facts, error, elapsedMs)
    return this.#answerRefused(manager, error)
  }

  /** The same for the rest of a request that was begun with, and counted then. */
  #refuseRest(manager: HttpManagerPlan, error: HeadError): 0 {
    this.#exchange.onDownstreamRefused(error)
    return this.#answerRefused(manager, error)
  }

  #answerRefused(manager: HttpManagerPlan, error: HeadError): 0 {
    const { stats } = this.#source
    stats.downstream_cx_protocol_error.inc()
    stats.countResponse(error.status)
    const server = manager.serverHeader === 'pass_through' ? '' : `server: ${manager.serverName}\r\n`
    const { body } = error
    this.#context.out.leave()
    this.#socket.write(
      `HTTP/1.1 ${error.status} ${body}\r\ncontent-length: ${body.length}\r\ncontent-type: text/plain\r\n` +
        `${server}date: ${this.#context.date.value}\r\nconnection: close\r\n\r\n${body}`,
      'latin1',
    )
    this.#pending = undefined
    this.#closeGently()
    return 0
  }

  // === life ===

  /**
   * The timer is not touched for each request: it stays armed, and looks when it fires whether the connection has been
   * idle for long enough.
   */
  #armIdle(): void {
    const idleMs = this.#source.manager?.idleTimeoutMs ?? 0
    this.#waitsFor = 'idle'
    if (idleMs > 0) this.#context.wheel.arm(this.#timer, idleMs)
  }

  #armHeaders(manager: HttpManagerPlan): void {
    if (this.#waitsFor === 'headers') return
    this.#waitsFor = 'headers'
    this.#context.wheel.arm(this.#timer, headersTimeoutMs(manager))
  }

  #onTimer(): void {
    const { stats } = this.#source
    if (this.#isClosed || this.#waitsFor === 'close' || this.#waitsFor === 'flush') {
      this.#socket.destroy()
    } else if (this.#waitsFor === 'drain') {
      if (this.isIdle) this.#closeGently()
    } else if (this.#waitsFor === 'idle') {
      this.#onIdleTimer()
    } else if (this.#waitsFor === 'request' && this.#responseStarted) {
      // Part of an answer is out: another cannot follow it.
      this.#exchange.onDownstreamClosed()
      this.#socket.destroy()
    } else {
      stats.downstream_rq_header_timeout.inc()
      const manager = this.#manager ?? this.#source.manager
      if (manager === undefined) return
      if (this.#exchange.isActive) this.#refuseRest(manager, HEAD_ERROR.requestTimeout)
      else this.#refuse(manager, HEAD_ERROR.headerTimeout, headersTimeoutMs(manager))
    }
  }

  #onIdleTimer(): void {
    const { wheel } = this.#context
    const idleMs = this.#source.manager?.idleTimeoutMs ?? 0
    const idleForMs = this.#exchange.isActive ? 0 : wheel.coarseNowMs - this.#idleSinceMs
    if (idleMs === 0) return
    if (idleForMs < idleMs) {
      wheel.arm(this.#timer, idleMs - idleForMs)
      return
    }
    this.#source.stats.downstream_cx_idle_timeout.inc()
    this.#socket.destroy()
  }

  #onEnd(): void {
    this.#clientEnded = true
    this.#context.out.leave()
    if (this.#isTunnel) {
      if (this.#body.active) this.#body.endOfInput(this)
    } else if (!this.#exchange.isActive) {
      // What was asked before the end and waits for our answers to be read is still answered.
      if (this.#isClosing || this.#pending === undefined || !this.#isHeldBack) this.#closeGently()
    } else {
      // Nobody waits for the answer, or the rest of the request will never come: who gives up closes, and its kernel sends no more
      // than this until it is written to.
      this.#exchange.onDownstreamClosed()
      this.#socket.destroy()
    }
  }

  /**
   * Whether nothing can follow from a client that has its answer: it asked for the close (RFC 9112 section 9.6), and its
   * request had no content, behind which some send an empty line too many. What the kernel holds still reaches it.
   */
  get #isLastForClient(): boolean {
    const { head, facts } = this
    if (head.keepAlive || head.framing !== FRAMING.none || this.#asksForTunnel) return false
    return this.#pending === undefined && this.#socket.writableLength === 0 && facts.tls === undefined
  }

  /** Without a wait for the client's close, which costs four system calls and turns more. */
  #closeNow(): void {
    this.#isClosing = true
    this.#socket.destroy()
  }

  /** Sends what was written and our close, then waits a little for the client's, so that it is not cut off by a reset. */
  #closeGently(): void {
    if (this.#isClosing || this.#isClosed) return
    this.#isClosing = true
    this.#closeAfterResponse = true
    this.#pending = undefined
    this.#context.out.leave()
    const socket = this.#socket
    socket.resume()
    // A slow client may take long to read the answer; the wait for its close begins when it has.
    this.#waitsFor = 'flush'
    const flushMs = this.#source.manager?.streamIdleTimeoutMs || DEFAULT_FLUSH_MS
    this.#context.wheel.arm(this.#timer, flushMs)
    socket.end(() => {
      if (this.#isClosed) return
      this.#waitsFor = 'close'
      this.#context.wheel.arm(this.#timer, DELAYED_CLOSE_MS)
    })
  }

  #onClose(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#context.out.discard(this)
    this.#pending = undefined
    this.#context.wheel.disarm(this.#timer)
    this.#socket.destroy()
    this.#onClosed(this)
    this.#exchange.onDownstreamGone()
  }
}

function headersTimeoutMs(manager: HttpManagerPlan): number {
  return manager.requestHeadersTimeoutMs || DEFAULT_HEADERS_TIMEOUT_MS
}
