import { WheelTimer } from '../../lib/timer-wheel.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import type { Decision } from '../decide/decision.ts'
import { originalEndpoint } from '../tcp/original-endpoint.ts'
import { encodeProxyHeader } from '../tcp/proxy-header.ts'
import type { PoolFailure, ResetReason } from '../upstream/attempt.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import { ANY_HOST } from '../upstream/lb/choice.ts'
import { countUpstreamStatus } from '../upstream/stats.ts'
import type { StreamContext } from './context.ts'
import type { Downstream } from './downstream.ts'
import { failureReply, REPLY_BODY } from './local-reply.ts'
import { FRAMING, type RequestHead, type ResponseHead } from './message.ts'
import type { RequestBuffer } from './request-buffer.ts'
import { retriesFailure, retriesResponse, type TryFailure } from './retry-policy.ts'
import { RetryState } from './retry-state.ts'
import { type TryOwner, UpstreamTry } from './upstream-try.ts'

/** The request that is tried, and who hears of its answer. */
export interface TriedRequest {
  readonly head: RequestHead
  readonly facts: ConnectionFacts
  readonly decision: Decision
  readonly buffer: RequestBuffer
  readonly downstream: Downstream
  /** The head of the answer that the client gets. What follows comes from the same try. */
  onAnswerHead(attempt: UpstreamTry, head: ResponseHead): void
  onAnswerData(data: Buffer, isStable: boolean): void
  onAnswerTrailers(lines: string): void
  onAnswerPause(): void
  onAnswerEnd(): void
  /** The answer broke off after its head. */
  onAnswerBroken(): void
  /** There is no answer, and no other try is made: the client gets one of our own. */
  onUnanswered(status: number, detail: string, flag: Decision['flag'], body: Buffer): void
}

/** The tries of one request: where they go, when another is made, and when there is no hope left. Used again for the next one. */
export class Tries implements TryOwner {
  readonly #context: StreamContext
  readonly #request: TriedRequest
  #cluster: Cluster | undefined
  /** The one under way. */
  #try: UpstreamTry | undefined
  #retries: RetryState | undefined
  #hasAnswer = false
  readonly #tryTimer: WheelTimer
  readonly #backOffTimer: WheelTimer
  readonly #choice = { ...ANY_HOST }
  readonly #target = { path: '', authority: '', attemptCount: 0, preface: undefined as Buffer | undefined }
  /** Tries that were made, the one under way included; silent resends are none. */
  count = 0
  /** A try is made when the back-off is over. */
  isBackingOff = false

  constructor(context: StreamContext, request: TriedRequest) {
    this.#context = context
    this.#request = request
    const timer = (onDue: () => void) =>
      new WheelTimer(context.bugs.guard('stream', onDue, () => request.downstream.destroy()))
    this.#tryTimer = timer(() => this.#onTryTimeout())
    this.#backOffTimer = timer(() => this.#onBackedOff())
  }

  /** The first try at a host of this cluster. */
  begin(cluster: Cluster): void {
    this.#cluster = cluster
    this.#hasAnswer = false
    this.#start()
  }

  /** Lets everything go that the tries held. The stream of a try that is over is used again by others. */
  end(): void {
    if (this.#cluster === undefined) return
    this.#cluster = undefined
    this.#try = undefined
    this.#retries?.release()
    this.#retries?.reset()
    this.count = 0
    if (this.isBackingOff) {
      this.isBackingOff = false
      this.#context.wheel.disarm(this.#backOffTimer)
    }
    this.#context.wheel.disarm(this.#tryTimer)
  }

  /** Gives up what is under way, whatever it is doing. */
  abandon(): void {
    const attempt = this.#try
    this.#try = undefined
    attempt?.abandon()
  }

  /** It took longer than the route allows. */
  noteTimeout(): void {
    this.#try?.noteTimeout()
  }

  /** The stream of the try under way, once it has one. */
  get stream(): UpstreamTry['stream'] {
    return this.#try?.stream
  }

  // === from the try under way ===

  onTryStream(attempt: UpstreamTry): void {
    const { decision, buffer, head, facts, downstream } = this.#request
    const target = this.#target
    const { isEnded, trailers } = buffer
    const chunks = buffer.pieces()
    const hasBody = head.framing !== FRAMING.none
    target.path = decision.path
    target.authority = decision.authority
    target.attemptCount = decision.virtualHost?.includeAttemptCount === true ? this.count : 0
    const proxyVersion = decision.connect?.proxyProtocol
    target.preface = proxyVersion && encodeProxyHeader(proxyVersion, facts)
    attempt.writeHead(head, target, hasBody, chunks)
    if (chunks.length > 0 && buffer.dropIfFull()) attempt.cluster.stats.retry_or_shadow_abandoned.inc()
    if (isEnded) {
      if (hasBody) attempt.stream?.endRequest(trailers)
    } else if (attempt.stream?.isWritable === true) downstream.resumeReading()
  }

  onTryWritable(): void {
    if (!this.#request.buffer.isEnded) this.#request.downstream.resumeReading()
  }

  onTryHead(attempt: UpstreamTry, head: ResponseHead): void {
    const { status } = head
    countUpstreamStatus(attempt.cluster.stats, status)
    const { retry } = this.#request.decision
    if (retry !== undefined && retriesResponse(retry, status, head) && this.#mayRetry()) {
      attempt.discard(head)
      this.#scheduleRetry()
      return
    }
    this.#context.wheel.disarm(this.#tryTimer)
    this.#retries?.release(status < 500)
    this.#hasAnswer = true
    this.#request.onAnswerHead(attempt, head)
  }

  onTryData(data: Buffer, isStable: boolean): void {
    this.#request.onAnswerData(data, isStable)
  }

  onTryTrailers(lines: string): void {
    this.#request.onAnswerTrailers(lines)
  }

  onTryReadPause(): void {
    this.#request.onAnswerPause()
  }

  onTryEnd(): void {
    this.#request.onAnswerEnd()
  }

  onTryFailure(attempt: UpstreamTry, failure: PoolFailure | ResetReason, detail: string): void {
    const request = this.#request
    this.#try = undefined
    if (this.#hasAnswer) {
      request.onAnswerBroken()
      return
    }
    if (failure === 'internal_error') {
      request.onUnanswered(500, 'internal_error', '', REPLY_BODY.internalError)
      return
    }
    if (failure === 'overflow') {
      request.onUnanswered(503, 'overflow', 'UO', REPLY_BODY.reset('overflow'))
      return
    }
    const mayResend = failure === 'refused' || failure === 'reset'
    if (mayResend && this.#retryState().takesSilently(attempt, failure, !request.buffer.hasOverflowed)) {
      this.count--
      this.#start()
      return
    }
    const { retry } = request.decision
    const kind: TryFailure = failure === 'no_healthy_upstream' ? 'connect_failure' : failure
    if (retry !== undefined && retriesFailure(retry, kind, attempt.requestWasSent) && this.#mayRetry()) {
      this.#retryState().noteTriedHost(attempt)
      this.#scheduleRetry()
      return
    }
    countUpstreamStatus(attempt.cluster.stats, 503)
    const answerTo = failureReply(failure, detail)
    request.onUnanswered(answerTo.status, answerTo.detail, answerTo.flag, answerTo.body)
  }

  // === tries ===

  #start(): void {
    const cluster = this.#cluster as Cluster
    const request = this.#request
    const { authority, connect, retry } = request.decision
    const host = this.#pickHost(cluster)
    if (host === undefined) {
      cluster.stats.upstream_cx_none_healthy.inc()
      request.onUnanswered(503, 'no_healthy_upstream', 'UH', REPLY_BODY.noHealthyUpstream)
      return
    }
    this.count++
    const attempt = new UpstreamTry(this, cluster, host, request.head, authority, connect !== undefined)
    this.#try = attempt
    const perTryMs = retry?.perTryTimeoutMs ?? 0
    if (perTryMs > 0) this.#context.wheel.arm(this.#tryTimer, perTryMs)
    cluster.send(host, attempt)
  }

  #pickHost(cluster: Cluster): Host | undefined {
    const { facts, decision } = this.#request
    if (cluster.plan.discovery === 'original_dst') {
      const endpoint = originalEndpoint(facts)
      return endpoint === undefined ? undefined : cluster.hostAt(endpoint)
    }
    const { retry } = decision
    const choice = this.#choice
    choice.avoid = retry?.avoidPreviousHosts === true ? this.#retries?.triedHosts : undefined
    choice.draws = retry?.hostSelectionAttempts ?? 0
    return cluster.pickHost(choice)
  }

  /** Made when the first try fails. */
  #retryState(): RetryState {
    this.#retries ??= new RetryState(this.#context.random)
    return this.#retries
  }

  /** Whether another try may be made: tries are left, the body can be sent again, the cluster's breaker lets it. */
  #mayRetry(): boolean {
    const { decision, buffer } = this.#request
    const { retry } = decision
    const cluster = this.#cluster
    if (retry === undefined || cluster === undefined || buffer.hasOverflowed) return false
    const outcome = this.#retryState().reserve(retry, cluster, this.count)
    if (outcome === 'limit') decision.flag = 'URX'
    return outcome === 'granted'
  }

  #scheduleRetry(): void {
    const { retry } = this.#request.decision
    if (retry === undefined) return
    const { wheel } = this.#context
    wheel.disarm(this.#tryTimer)
    if (this.#try !== undefined) this.#retryState().noteTriedHost(this.#try)
    this.#try = undefined
    this.#cluster?.stats.upstream_rq_retry.inc()
    this.isBackingOff = true
    wheel.arm(this.#backOffTimer, this.#retryState().nextDelayMs(retry))
  }

  #onBackedOff(): void {
    if (this.#cluster === undefined) return
    this.isBackingOff = false
    this.#start()
  }

  #onTryTimeout(): void {
    const attempt = this.#try
    if (attempt === undefined || this.#hasAnswer) return
    const { decision } = this.#request
    attempt.cluster.stats.upstream_rq_per_try_timeout.inc()
    attempt.noteTimeout()
    this.abandon()
    const { retry } = decision
    if (retry !== undefined && retriesFailure(retry, 'per_try_timeout', true) && this.#mayRetry()) {
      this.#retryState().noteTriedHost(attempt)
      this.#scheduleRetry()
      return
    }
    countUpstreamStatus(attempt.cluster.stats, 504)
    this.#request.onUnanswered(504, 'upstream_per_try_timeout', 'UT', REPLY_BODY.perTryTimeout)
  }
}
