import { WheelTimer } from '../../lib/timer-wheel.ts'
import { parseRequestHead } from '../http1/request-parser.ts'
import type { PoolFailure, ResetReason } from '../upstream/attempt.ts'
import { countUpstreamStatus } from '../upstream/stats.ts'
import type { StreamContext } from './context.ts'
import { HeaderBlock } from './header-block.ts'
import { FRAMING, RequestHead, type ResponseHead } from './message.ts'
import { type TryOwner, UpstreamTry } from './upstream-try.ts'

/** A call that the proxy makes for itself: to a server of keys, or of verdicts. */
export interface SideRequest {
  readonly cluster: string
  readonly method: string
  readonly authority: string
  readonly path: string
  /** Fit for the wire. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** undefined for a request without content. */
  readonly body: Buffer | undefined
  /** Given where more of the body may follow, by write() until end(): called when it may. */
  readonly onWritable?: () => void
  /** From the start, or end() where the body came in pieces, to the end of the answer; 0 for no bound. */
  readonly timeoutMs: number
  readonly maxResponseBytes: number
}

export type SideResult =
  | {
      readonly kind: 'answered'
      readonly status: number
      readonly fields: HeaderBlock
      readonly body: Buffer
      /** HTTP/1.1 lines. */
      readonly trailers: string
    }
  | { readonly kind: 'failed'; readonly reason: SideFailure }

export type SideFailure = PoolFailure | ResetReason | 'no_cluster' | 'bad_request' | 'timeout' | 'response_too_large'

/**
 * One such call, through the cluster's own connections and circuit breakers. It is tried once and bounded in time and in what
 * it reads; `onDone` is called once, perhaps before send() returns, and never after cancel().
 */
export class SideCall implements TryOwner {
  readonly #request: SideRequest
  readonly #context: StreamContext
  readonly #onDone: (result: SideResult) => void
  readonly #timer: WheelTimer
  readonly #head = new RequestHead()
  #attempt: UpstreamTry | undefined
  #status = 0
  #fields = new HeaderBlock()
  #chunks: Buffer[] = []
  #received = 0
  #trailers = ''
  #isOver = false
  /** All of the request is there. */
  #isWhole: boolean

  private constructor(request: SideRequest, context: StreamContext, onDone: (result: SideResult) => void) {
    this.#request = request
    this.#context = context
    this.#onDone = onDone
    this.#isWhole = request.onWritable === undefined
    const onTimeout = () => this.#giveUp('timeout')
    this.#timer = new WheelTimer(context.bugs.guard('side call', onTimeout, () => {}))
  }

  static send(request: SideRequest, context: StreamContext, onDone: (result: SideResult) => void): SideCall {
    const call = new SideCall(request, context, onDone)
    call.#send()
    return call
  }

  /** Whether write() would not have to wait: the server is there and takes what it is sent. */
  get isWritable(): boolean {
    return !this.#isWhole && !this.#isOver && this.#attempt?.stream?.isWritable === true
  }

  /** How much of what is written now the server takes at once, as far as it says. */
  get creditBytes(): number {
    return this.#attempt?.stream?.creditBytes ?? Number.POSITIVE_INFINITY
  }

  /** More of the body, only lent for the call; isWritable must be true. */
  write(data: Buffer): void {
    this.#attempt?.stream?.writeData(data)
  }

  /** Ends the body. */
  end(): void {
    if (this.#isWhole || this.#isOver) return
    this.#isWhole = true
    this.#startTimer()
    this.#attempt?.stream?.endRequest('')
  }

  cancel(): void {
    if (this.#isOver) return
    this.#settle()
    this.#attempt?.abandon()
  }

  #send(): void {
    const request = this.#request
    const cluster = this.#context.cluster(request.cluster)
    const host = cluster?.pickHost()
    if (cluster === undefined || host === undefined) {
      cluster?.stats.upstream_cx_none_healthy.inc()
      this.#fail(cluster === undefined ? 'no_cluster' : 'no_healthy_upstream')
      return
    }
    if (!this.#writeOwnHead()) {
      this.#fail('bad_request')
      return
    }
    if (this.#isWhole) this.#startTimer()
    const attempt = new UpstreamTry(this)
    attempt.begin(cluster, host, this.#head, request.authority)
    this.#attempt = attempt
    cluster.send(host, attempt)
  }

  #startTimer(): void {
    const { timeoutMs } = this.#request
    if (timeoutMs > 0) this.#context.wheel.arm(this.#timer, timeoutMs)
  }

  /** As if a client had sent it, and with the checks of one. */
  #writeOwnHead(): boolean {
    const { method, path, authority, headers, body } = this.#request
    const lines = [
      `${method} ${path} HTTP/1.1`,
      `Host: ${authority}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...(!this.#isWhole
        ? ['transfer-encoding: chunked']
        : body === undefined
          ? []
          : [`content-length: ${body.length}`]),
    ]
    const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    return parseRequestHead(bytes, 0, bytes.length - 4, this.#head) === undefined
  }

  #fail(reason: SideFailure): void {
    if (this.#isOver) return
    this.#settle()
    this.#onDone({ kind: 'failed', reason })
  }

  #giveUp(reason: 'timeout' | 'response_too_large'): void {
    const attempt = this.#attempt
    if (reason === 'timeout') attempt?.cluster.stats.upstream_rq_timeout.inc()
    this.#fail(reason)
    attempt?.abandon()
  }

  #settle(): void {
    this.#isOver = true
    this.#context.wheel.disarm(this.#timer)
  }

  // --- TryOwner ---

  onTryStream(attempt: UpstreamTry): void {
    const { path, authority, body } = this.#request
    const target = { path, authority, attemptCount: 0, preface: undefined }
    const hasBody = this.#head.framing !== FRAMING.none
    attempt.writeHead(this.#head, target, hasBody, body === undefined ? [] : [body])
    if (!this.#isWhole) this.#request.onWritable?.()
    else if (hasBody) attempt.stream?.endRequest('')
  }

  onTryHead(attempt: UpstreamTry, head: ResponseHead): void {
    countUpstreamStatus(attempt.cluster.stats, head.status)
    this.#status = head.status
    this.#fields.copyFields(head)
  }

  onTryData(data: Buffer): void {
    this.#received += data.length
    if (this.#received > this.#request.maxResponseBytes) this.#giveUp('response_too_large')
    else this.#chunks.push(Buffer.from(data))
  }

  onTryTrailers(lines: string): void {
    this.#trailers = lines
  }

  onTryEnd(): void {
    if (this.#isOver) return
    this.#settle()
    // An answer that did not wait for all of the request.
    if (!this.#isWhole) this.#attempt?.abandon()
    const body = Buffer.concat(this.#chunks)
    this.#onDone({ kind: 'answered', status: this.#status, fields: this.#fields, body, trailers: this.#trailers })
  }

  onTryFailure(_attempt: UpstreamTry, failure: PoolFailure | ResetReason): void {
    this.#fail(failure)
  }

  onTryReadPause(): void {}

  onTryWritable(): void {
    if (this.isWritable) this.#request.onWritable?.()
  }
}
