import type { Metric } from '../../lib/metrics/store.ts'
import { WheelTimer } from '../../lib/timer-wheel.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import type { Decision } from '../decide/decision.ts'
import { originalEndpoint } from '../tcp/original-endpoint.ts'
import { encodeProxyHeader } from '../tcp/proxy-header.ts'
import type { PoolFailure, ResetReason } from '../upstream/attempt.ts'
import type { CircuitBreaker } from '../upstream/circuit-breaker.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import { ANY_HOST } from '../upstream/lb/choice.ts'
import { countUpstreamStatus } from '../upstream/stats.ts'
import type { StreamContext } from './context.ts'
import type { Downstream } from './downstream.ts'
import { IdleWatch } from './idle-watch.ts'
import { BEFORE_RESPONSE, failureReply, REPLY_BODY } from './local-reply.ts'
import { FRAMING, type RequestHead, type ResponseHead } from './message.ts'
import { NO_RETRY, type RetryRefusal } from './no-retry.ts'
import type { RequestBuffer } from './request-buffer.ts'
import { setExpectedTimeout } from './request-text.ts'
import { resetIntervalMs, retriesFailure, retriesResponse, type TryFailure } from './retry-policy.ts'
import { RetryState } from './retry-state.ts'
import { type TryOwner, UpstreamTry } from './upstream-try.ts'

/** The request that is tried, and who hears of its answer. */
export interface TriedRequest {
  readonly head: RequestHead
  readonly facts: ConnectionFacts
  readonly decision: Decision
  readonly buffer: RequestBuffer
  readonly downstream: Downstream
  /** How long ago the whole request was here; 0 while it is not. */
  readonly elapsedMs: number
  /** A try goes to its host; then its head has been handed to a connection. */
  onTryStarted(attempt: UpstreamTry): void
  onTrySent(): void
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

/** Tried again at once: it was only too early (RFC 8470 section 5.2). */
const TOO_EARLY = 425

/** Why a try took too long. */
const TOO_LONG = {
  try: { counter: 'upstream_rq_per_try_timeout', detail: 'upstream_per_try_timeout' },
  idle: { counter: 'upstream_rq_per_try_idle_timeout', detail: 'upstream_per_try_idle_timeout' },
} as const

/**
 * The tries of one request: where they go, when another is made, and when there is no hope left. There is one at a time, but
 * for hedging, where a slow one is waited for beside the one that was made in its place. Used again for the next request.
 */
export class Tries implements TryOwner {
  readonly #context: StreamContext
  readonly #request: TriedRequest
  #cluster: Cluster | undefined
  /** The last one that was made, unless it is over. */
  #try: UpstreamTry | undefined
  /** The last one that ended well, to be used again. */
  #spare: UpstreamTry | undefined
  #retries: RetryState | undefined
  #hasAnswer = false
  readonly #tryTimer: WheelTimer
  readonly #backOffTimer: WheelTimer
  /** Made for the first policy with a per_try_idle_timeout. */
  #idle: IdleWatch | undefined
  readonly #choice = { ...ANY_HOST }
  readonly #target = { path: '', authority: '', attemptCount: 0, preface: undefined as Buffer | undefined }
  /** Tries that were made, the one under way included; silent resends are none. */
  count = 0
  /** Why no other try was made, where the policy asks for one. */
  refusal: RetryRefusal | '' = ''
  #isBackingOff = false
  /** Counted when the back-off is over, as the retry is. */
  #backOffCounter: Metric | undefined

  constructor(context: StreamContext, request: TriedRequest) {
    this.#context = context
    this.#request = request
    this.#tryTimer = this.#timer(() => this.#onTryTimeout(TOO_LONG.try))
    this.#backOffTimer = this.#timer(() => this.#onBackedOff())
  }

  #timer(onDue: () => void): WheelTimer {
    const { bugs } = this.#context
    return new WheelTimer(bugs.guard('stream', onDue, () => this.#request.downstream.destroy()))
  }

  /** The first try at a host of this cluster. */
  begin(cluster: Cluster): void {
    this.#cluster = cluster
    this.#hasAnswer = false
    this.refusal = ''
    this.#start()
  }

  /** Lets everything go that the tries held. The stream of a try that is over is used again by others. */
  end(): void {
    if (this.#cluster === undefined) return
    const { wheel } = this.#context
    this.#cluster = undefined
    if (this.#try?.isOver === true) this.#keep(this.#try)
    this.#try = undefined
    this.#retries?.release()
    this.#retries?.reset()
    this.count = 0
    if (this.#isBackingOff) {
      this.#isBackingOff = false
      wheel.disarm(this.#backOffTimer)
    }
    wheel.disarm(this.#tryTimer)
    this.#idle?.stop()
  }

  /** Until the next request, however long that takes: a connection that is closed meanwhile must not be kept with it. */
  #keep(attempt: UpstreamTry): void {
    attempt.stream = undefined
    this.#spare = attempt
  }

  /** Gives up what is under way, whatever it is doing. */
  abandon(): void {
    const attempt = this.#try
    this.#try = undefined
    attempt?.abandon()
    if (this.#retries !== undefined && this.#retries.rivals.length > 0) this.#abandonRivals(undefined)
  }

  /** It took longer than the route allows. */
  noteTimeout(): void {
    if (!this.isBackingOff) this.#cluster?.stats.upstream_rq_timeout.inc()
    if (this.#hasAnswer) return
    // Where the caller waits less than the route allows, that is not the host's fault.
    const { caller, timeoutMs } = this.#request.decision
    if (caller.timeoutMs === 0 || caller.timeoutMs > timeoutMs) this.#try?.noteTimeout()
  }

  /** The stream of the last try, once it has one. */
  get stream(): UpstreamTry['stream'] {
    return this.#try?.stream
  }

  /** A try is made when the back-off is over, and no other is under way. */
  get isBackingOff(): boolean {
    return this.#isBackingOff && (this.#retries === undefined || this.#retries.rivals.length === 0)
  }

  /** The whole request is here: a try may take its time from now on. */
  onRequestComplete(): void {
    const { perTryTimeoutMs } = this.#request.decision
    if (perTryTimeoutMs > 0 && this.stream !== undefined && !this.#hasAnswer) {
      this.#context.wheel.arm(this.#tryTimer, perTryTimeoutMs)
    }
  }

  /** Something of the request has passed. */
  touch(): void {
    this.#idle?.touch()
  }

  // === from tries ===

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
    const { perTryTimeoutMs, retry } = decision
    if (retry !== undefined) {
      if (perTryTimeoutMs > 0 && isEnded) this.#context.wheel.arm(this.#tryTimer, perTryTimeoutMs)
      if (retry.perTryIdleTimeoutMs > 0) this.#watchIdle(retry.perTryIdleTimeoutMs)
    }
    attempt.writeHead(head, target, hasBody, chunks)
    this.#request.onTrySent()
    if (chunks.length > 0 && buffer.dropIfFull()) attempt.cluster.stats.retry_or_shadow_abandoned.inc()
    if (isEnded) {
      if (hasBody) attempt.stream?.endRequest(trailers)
    } else if (attempt.stream?.isWritable === true) downstream.resumeReading()
  }

  #watchIdle(timeoutMs: number): void {
    this.#idle ??= new IdleWatch(
      this.#context.wheel,
      this.#timer(() => this.#onIdleTimer()),
    )
    this.#idle.watch(timeoutMs)
  }

  onTryWritable(): void {
    if (!this.#request.buffer.isEnded) this.#request.downstream.resumeReading()
  }

  onTryHead(attempt: UpstreamTry, head: ResponseHead): void {
    const { status } = head
    const { stats } = attempt.cluster
    countUpstreamStatus(stats, status)
    this.#idle?.touch()
    const { retry, priority } = this.#request.decision
    const isUnwanted = retry !== undefined && retriesResponse(retry, status, head)
    if (isUnwanted && this.#triesAgain(attempt, head)) return
    this.#context.wheel.disarm(this.#tryTimer)
    if (!isUnwanted) {
      if (status < 500) attempt.cluster.breakerOf(priority).window.earn()
      if (this.count > 1) stats.upstream_rq_retry_success.inc()
    }
    if (this.#retries !== undefined) this.#settleRetries(this.#retries, attempt, !isUnwanted && status < 500)
    this.#hasAnswer = true
    this.#request.onAnswerHead(attempt, head)
  }

  /** An answer is taken: what else may come is not. */
  #settleRetries(retries: RetryState, attempt: UpstreamTry, isGood: boolean): void {
    if (isGood) retries.succeed()
    retries.release()
    if (this.#isBackingOff) {
      this.#isBackingOff = false
      this.#context.wheel.disarm(this.#backOffTimer)
    }
    if (this.#try !== attempt) {
      this.#try?.abandon()
      this.#try = attempt
    }
    if (retries.rivals.length > 0) this.#abandonRivals(attempt)
  }

  #abandonRivals(kept: UpstreamTry | undefined): void {
    const rivals = this.#retries?.rivals.splice(0) ?? []
    for (const rival of rivals) if (rival !== kept) rival.abandon()
  }

  /** After an answer that the policy does not want. True when it is not the last word: another is made, or still waited for. */
  #triesAgain(attempt: UpstreamTry, head: ResponseHead): boolean {
    const isMarked = head.has(NO_RETRY)
    const { caller } = this.#request.decision
    // It is for those who call us from inside the mesh.
    if (isMarked && !caller.isTrusted) head.remove(NO_RETRY)
    if (isMarked) this.refusal = 'nested'
    const isRetried = this.#isRival(attempt)
    const isGranted = !isMarked && !isRetried && this.#mayRetry(false, false)
    if (!isGranted && !this.#awaitsOther(attempt)) return false
    attempt.discard(head)
    this.#forget(attempt)
    if (isGranted) this.#scheduleRetry(attempt, false, head)
    return true
  }

  onTryData(data: Buffer, isStable: boolean): void {
    this.#idle?.touch()
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
    if (this.#hasAnswer) {
      this.#try = undefined
      request.onAnswerBroken()
      return
    }
    const isRetried = this.#isRival(attempt)
    this.#forget(attempt)
    if (failure === 'internal_error') {
      this.abandon()
      request.onUnanswered(500, 'internal_error', '', REPLY_BODY.internalError)
      return
    }
    if (failure === 'overflow') {
      if (this.#awaitsOther(attempt)) return
      request.onUnanswered(503, `${BEFORE_RESPONSE}{overflow}`, 'UO', REPLY_BODY.reset('overflow', this.count > 1))
      return
    }
    const mayResend = !isRetried && (failure === 'refused' || failure === 'reset')
    if (
      mayResend &&
      this.#retryState().takesSilently(attempt, failure, !request.buffer.hasOverflowed, this.#breaker())
    ) {
      this.count--
      this.#start()
      return
    }
    const { retry } = request.decision
    const kind: TryFailure = failure === 'no_healthy_upstream' ? 'connect_failure' : failure
    const isUnsent = !attempt.requestWasSent
    const isUnwanted = retry !== undefined && !isRetried && retriesFailure(retry, kind, !isUnsent, request.head.method)
    if (isUnwanted && this.#mayRetry(isUnsent, false)) {
      this.#scheduleRetry(attempt, false)
      return
    }
    if (this.#awaitsOther(attempt)) return
    countUpstreamStatus(attempt.cluster.stats, 503)
    const answerTo = failureReply(failure, detail, this.count > 1)
    request.onUnanswered(answerTo.status, answerTo.detail, answerTo.flag, answerTo.body)
  }

  // === which are under way ===

  #isRival(attempt: UpstreamTry): boolean {
    return this.#retries?.rivals.includes(attempt) === true
  }

  #forget(attempt: UpstreamTry): void {
    if (this.#try === attempt) this.#try = undefined
    else if (this.#isRival(attempt)) this.#retries?.rivals.splice(this.#retries.rivals.indexOf(attempt), 1)
  }

  /** Whether another answer may come than that of this try. */
  #awaitsOther(attempt: UpstreamTry): boolean {
    if (this.#isBackingOff || (this.#try !== undefined && this.#try !== attempt)) return true
    return this.#retries?.rivals.some((rival) => rival !== attempt) === true
  }

  // === tries ===

  #start(): void {
    const cluster = this.#cluster as Cluster
    const request = this.#request
    const { authority, connect, priority } = request.decision
    const host = this.#pickHost(cluster)
    if (host === undefined) {
      cluster.stats.upstream_cx_none_healthy.inc()
      this.abandon()
      request.onUnanswered(503, 'no_healthy_upstream', 'UH', REPLY_BODY.noHealthyUpstream)
      return
    }
    this.count++
    const attempt = this.#spare ?? new UpstreamTry(this)
    this.#spare = undefined
    attempt.begin(cluster, host, request.head, authority, connect !== undefined, priority)
    this.#try = attempt
    request.onTryStarted(attempt)
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
    choice.hash = decision.hash
    choice.criteria = decision.choice?.criteria
    choice.avoid = retry?.avoidPreviousHosts === true ? this.#retries?.triedHosts : undefined
    choice.draws = retry?.hostSelectionAttempts ?? 0
    choice.retryPriority = this.#retries?.priority
    return cluster.pickHost(choice)
  }

  /** Made when the first try fails. */
  #retryState(): RetryState {
    this.#retries ??= new RetryState(this.#context.random)
    return this.#retries
  }

  #breaker(): CircuitBreaker {
    return (this.#cluster as Cluster).breakerOf(this.#request.decision.priority)
  }

  /**
   * Whether another try may be made, which the policy asks for: tries are left, the body can be sent again, the caller is not
   * trying again itself and still waits then, the cluster's breaker lets it.
   */
  #mayRetry(wasUnsent: boolean, wasTooLong: boolean): boolean {
    const { decision, buffer, elapsedMs } = this.#request
    const { retry, caller, perTryTimeoutMs } = decision
    if (retry === undefined || buffer.hasOverflowed) return false
    if (caller.attempt > 1) return this.#refuse('nested')
    if (this.count > retry.attempts) {
      this.#cluster?.stats.upstream_rq_retry_limit_exceeded.inc()
      decision.retryFlag = 'URX'
      return this.#refuse('limit')
    }
    if (caller.timeoutMs > 0) {
      // What took too long once is expected to take as long again.
      const neededMs = retry.backoffBaseMs + (wasTooLong ? perTryTimeoutMs : 0)
      if (elapsedMs + neededMs >= caller.timeoutMs) return this.#refuse('deadline')
    }
    if (this.#retryState().reserve(this.#breaker(), wasUnsent)) return true
    decision.retryFlag = 'UO'
    return this.#refuse('budget')
  }

  #refuse(refusal: RetryRefusal): false {
    this.refusal = refusal
    return false
  }

  #scheduleRetry(attempt: UpstreamTry, isTimeout: boolean, head?: ResponseHead): void {
    const { decision, head: requestHead, elapsedMs } = this.#request
    const { retry } = decision
    if (retry === undefined) return
    const { wheel, clock } = this.#context
    const { stats } = attempt.cluster
    wheel.disarm(this.#tryTimer)
    this.#idle?.stop()
    const retries = this.#retryState()
    retries.noteTriedHost(attempt, retry)
    this.#isBackingOff = true
    const { rateLimited } = retry
    const intervalMs = head && rateLimited ? resetIntervalMs(rateLimited, head, clock.wallMs()) : 0
    let delayMs = 0
    this.#backOffCounter = undefined
    if (intervalMs > 0) {
      this.#backOffCounter = stats.upstream_rq_retry_backoff_ratelimited
      delayMs = retries.rateLimitedDelayMs(intervalMs)
    } else if (head?.status !== TOO_EARLY) {
      this.#backOffCounter = stats.upstream_rq_retry_backoff_exponential
      delayMs = retries.nextDelayMs(retry)
    }
    wheel.arm(this.#backOffTimer, delayMs)
    setExpectedTimeout(requestHead, decision, elapsedMs + delayMs)
    if (decision.virtualHost?.includeIsTimeoutRetry) requestHead.set('x-envoy-is-timeout-retry', String(isTimeout))
  }

  #onBackedOff(): void {
    if (this.#cluster === undefined) return
    this.#isBackingOff = false
    this.#cluster.stats.upstream_rq_retry.inc()
    this.#backOffCounter?.inc()
    this.#start()
  }

  // === time-outs ===

  #onIdleTimer(): void {
    if (this.#try === undefined || this.#idle?.isDue(true) !== true) return
    if (this.#hasAnswer) {
      if (this.#request.decision.hedges) return
      this.#try.cluster.stats.upstream_rq_per_try_idle_timeout.inc()
      this.abandon()
      this.#request.onAnswerBroken()
    } else this.#onTryTimeout(TOO_LONG.idle)
  }

  #onTryTimeout(reason: (typeof TOO_LONG)[keyof typeof TOO_LONG]): void {
    const attempt = this.#try
    if (attempt === undefined || this.#hasAnswer) return
    const { decision, buffer } = this.#request
    const { retry } = decision
    attempt.noteTimeout()
    if (decision.hedges && buffer.isEnded && retry !== undefined) {
      if ((retry.on.size > 0 || retry.isForOthers) && this.#mayRetry(false, true)) {
        this.#retryState().rivals.push(attempt)
        this.#try = undefined
        this.#scheduleRetry(attempt, true)
      }
      return
    }
    attempt.cluster.stats[reason.counter].inc()
    this.abandon()
    if (
      retry !== undefined &&
      retriesFailure(retry, 'per_try_timeout', true, this.#request.head.method) &&
      this.#mayRetry(false, true)
    ) {
      this.#scheduleRetry(attempt, true)
      return
    }
    countUpstreamStatus(attempt.cluster.stats, 504)
    this.#request.onUnanswered(504, reason.detail, 'UT', REPLY_BODY.perTryTimeout)
  }
}
