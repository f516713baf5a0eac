import { WheelTimer } from '../../lib/timer-wheel.ts'
import { type Call, RANDOM_VALUE_BOUND } from '../decide/call.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { decide, resume, routesOf } from '../decide/decide.ts'
import { answer, type Decision, newDecision, resetDecision } from '../decide/decision.ts'
import { changeResponse } from '../decide/field-change.ts'
import { mutateHeaders } from '../decide/mutate.ts'
import { prepareRequest } from '../decide/prepare.ts'
import type { Question } from '../decide/question.ts'
import { isGrpc } from '../decide/route.ts'
import { Base64Reader, encodeData, encodeTrailers, responseType } from '../filters/http/grpc-web/body.ts'
import type { HttpManagerPlan, Plan, RouteConfigPlan } from '../plan/plan.ts'
import { originalEndpoint } from '../tcp/original-endpoint.ts'
import { encodeProxyHeader } from '../tcp/proxy-header.ts'
import type { PoolFailure, ResetReason } from '../upstream/attempt.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import { ANY_HOST } from '../upstream/lb/choice.ts'
import { countUpstreamStatus } from '../upstream/stats.ts'
import type { StreamContext } from './context.ts'
import type { Downstream } from './downstream.ts'
import { IdleWatch } from './idle-watch.ts'
import { Inquiry } from './inquiry.ts'
import { failureReply, localReply, REPLY_BODY } from './local-reply.ts'
import type { ManagerStats } from './manager-stats.ts'
import { FRAMING, type Framing, type RequestHead, type ResponseHead } from './message.ts'
import { sendMirror } from './mirror.ts'
import { RequestBuffer } from './request-buffer.ts'
import { finishRequestHead } from './request-text.ts'
import { completeLocalFields, completeResponseHead } from './response-text.ts'
import { retriesFailure, retriesResponse, type TryFailure } from './retry-policy.ts'
import { RetryState } from './retry-state.ts'
import { type TryOwner, UpstreamTry } from './upstream-try.ts'

/**
 * One request's life: decided, perhaps after asking, perhaps delayed, sent upstream in one or more tries, answered. It belongs to a
 * downstream connection and is used again for the next request. Exactly one answer is given for each begin(), unless
 * the client leaves first.
 */
export class Exchange implements Call, TryOwner {
  readonly head: RequestHead
  readonly facts: ConnectionFacts
  readonly random
  randomValue = 0
  /** True from begin() until the answer is complete. */
  isActive = false

  readonly #context: StreamContext
  readonly #downstream: Downstream
  readonly #decision: Decision = newDecision()
  readonly #buffer = new RequestBuffer()
  readonly #base64 = new Base64Reader()
  #retries: RetryState | undefined
  readonly #routeTimer: WheelTimer
  readonly #tryTimer: WheelTimer
  readonly #waitTimer: WheelTimer
  readonly #idle: IdleWatch
  readonly #choice = { ...ANY_HOST }
  readonly #target = { path: '', authority: '', attemptCount: 0, preface: undefined as Buffer | undefined }

  #manager: HttpManagerPlan | undefined
  #stats: ManagerStats | undefined
  #plan: Plan | undefined
  #routes: RouteConfigPlan | undefined
  #cluster: Cluster | undefined
  #try: UpstreamTry | undefined
  /** What a filter is asking. */
  #inquiry: Inquiry | undefined
  #startMs = 0
  /** Tries that were made, the one under way included; silent resends are none. */
  #tries = 0
  #isWaiting = false
  #answerStarted = false
  #isTunnel = false
  /** In a tunnel: the upstream has ended its half. */
  #responseIsOver = false
  #trailers = ''

  constructor(context: StreamContext, downstream: Downstream) {
    this.#context = context
    this.#downstream = downstream
    this.head = downstream.head
    this.facts = downstream.facts
    this.random = context.random
    const timer = (onDue: () => void) => new WheelTimer(context.bugs.guard('stream', onDue, () => downstream.destroy()))
    this.#routeTimer = timer(() => this.#onRouteTimeout())
    this.#tryTimer = timer(() => this.#onTryTimeout())
    this.#waitTimer = timer(() => this.#onWaited())
    this.#idle = new IdleWatch(
      context.wheel,
      timer(() => this.#onIdleTimer()),
    )
  }

  wallMs(): number {
    return this.#context.clock.wallMs()
  }

  newRequestId(): string {
    return this.#context.newRequestId()
  }

  /** How the answer came about, as access logs write it; '' for one of the upstream's. */
  get responseFlag(): Decision['flag'] {
    return this.#decision.flag
  }

  // === from the downstream connection ===

  /** The request's head has come. A body may follow. */
  begin(manager: HttpManagerPlan, stats: ManagerStats): void {
    const context = this.#context
    this.isActive = true
    this.#manager = manager
    this.#stats = stats
    this.#plan = context.plan
    this.#startMs = context.clock.nowMs()
    this.#tries = 0
    this.#retries?.reset()
    this.#answerStarted = false
    this.#isTunnel = false
    this.#responseIsOver = false
    this.#buffer.reset()
    this.#base64.reset()
    this.#buffer.isEnded = this.head.framing === FRAMING.none
    stats.downstream_rq_total.inc()
    stats.downstream_rq_active.inc()
    this.randomValue = Math.floor(this.random.next() * RANDOM_VALUE_BOUND)
    const decision = this.#decision
    resetDecision(decision)
    this.#idle.watch(manager.streamIdleTimeoutMs)
    if (context.overload.isShedding) {
      stats.downstream_rq_overload_close.inc()
      answer(decision, 503, 'overload', 'OM')
      decision.body = REPLY_BODY.overloaded
    } else if (prepareRequest(manager, this, decision)) {
      this.#routes = routesOf(this.#plan, manager)
      decide(this.#plan, manager, this.#routes, this, decision)
    }
    this.#onDecided()
  }

  onRequestData(received: Buffer): void {
    if (!this.isActive) return
    const data = this.#decision.grpcWeb?.isTextRequest === true ? this.#decodeText(received) : received
    if (data === undefined || data.length === 0) return
    this.#idle.touch()
    const stream = this.#try?.stream
    if (this.#isTunnel) {
      if (stream?.writeData(data) === false) this.#downstream.pauseReading()
      return
    }
    const buffer = this.#buffer
    buffer.add(data)
    if (stream === undefined) {
      if (buffer.isFull) this.#downstream.pauseReading()
      this.#inquiry?.proceed()
      return
    }
    if (!stream.writeData(data)) this.#downstream.pauseReading()
    if (buffer.dropIfFull()) this.#cluster?.stats.retry_or_shadow_abandoned.inc()
  }

  /** The base64 of a gRPC-Web request; what is none ends the call. */
  #decodeText(received: Buffer): Buffer | undefined {
    const data = this.#base64.read(received)
    if (data === undefined) this.#refuseText()
    return data
  }

  #refuseText(): void {
    this.#abandonTry()
    if (this.#answerStarted) {
      this.#finish()
      this.#downstream.destroy()
    } else this.#fail(400, 'grpc_base_64_decode_failed', '', REPLY_BODY.badBase64)
  }

  onRequestTrailers(lines: string): void {
    this.#buffer.trailers = lines
  }

  onRequestEnd(): void {
    if (!this.isActive) return
    if (this.#decision.grpcWeb?.isTextRequest === true && !this.#base64.isWhole) {
      this.#refuseText()
      return
    }
    this.#buffer.isEnded = true
    if (this.#isTunnel) {
      this.#try?.stream?.endRequest('')
      if (this.#responseIsOver) this.#finish()
      return
    }
    if (this.#inquiry !== undefined) this.#inquiry.proceed()
    else if (this.#decision.outcome === 'forward' && !this.#isWaiting) this.#onForwardedRequestEnd()
  }

  /** The downstream socket takes bytes again. */
  onDownstreamWritable(): void {
    this.#try?.stream?.resumeReading()
  }

  /** The client is gone, and nothing will be asked of this exchange again. */
  onDownstreamGone(): void {
    this.#idle.stop()
    this.onDownstreamClosed()
  }

  /** The client has given the request up, or can no longer be answered. */
  onDownstreamClosed(): void {
    if (!this.isActive) return
    this.#stats?.downstream_rq_rx_reset.inc()
    this.#cluster?.stats.upstream_rq_cancelled.inc()
    this.#abandonTry()
    this.#finish()
  }

  // === carrying the decision out ===

  #onDecided(): void {
    const { question, counted, delayMs } = this.#decision
    if (question !== undefined) this.#ask(question)
    else {
      for (let i = 0; i < counted.length; i++) this.#stats?.named(counted[i] as string).inc()
      if (delayMs > 0) this.#wait(delayMs)
      else this.#carryOut()
    }
  }

  #ask(question: Question): void {
    const onAnswer = (answered: Inquiry, value: unknown) => this.#onAnswer(answered, value)
    const inquiry = new Inquiry(question, this, this.#decision, this.#buffer, this.#context, onAnswer, this.#downstream)
    this.#inquiry = inquiry
    if (inquiry.wantsBody && this.head.expectContinue) {
      this.head.expectContinue = false
      this.#downstream.writeContinue()
    }
    inquiry.proceed()
  }

  #onAnswer(inquiry: Inquiry, value: unknown): void {
    if (this.#inquiry !== inquiry || this.#plan === undefined) return
    this.#inquiry = undefined
    resume(this.#plan, this.#manager as HttpManagerPlan, this.#routes, this, this.#decision, value)
    this.#onDecided()
  }

  #carryOut(): void {
    const decision = this.#decision
    if (decision.outcome === 'forward') this.#forward()
    else this.#reply()
  }

  #forward(): void {
    const decision = this.#decision
    const cluster = this.#context.cluster(decision.choice?.cluster ?? '')
    if (cluster === undefined) {
      answer(decision, 503, 'cluster_not_found', 'NC')
      this.#reply()
      return
    }
    this.#cluster = cluster
    const { route } = decision
    if (route?.action.kind === 'forward' && route.action.idleTimeoutMs !== undefined) {
      this.#idle.watch(route.action.idleTimeoutMs)
    }
    if (this.#routes !== undefined) mutateHeaders(this.#routes, decision, this, this.head, 'request')
    finishRequestHead(this.head, decision)
    if (this.head.expectContinue) this.#downstream.writeContinue()
    this.#startTry()
    if (this.#buffer.isEnded && this.isActive) this.#onForwardedRequestEnd()
  }

  /** The whole request is here: the route's time-out runs from now, and mirrors can be sent. */
  #onForwardedRequestEnd(): void {
    const { timeoutMs, mirrors } = this.#decision
    if (timeoutMs > 0) this.#context.wheel.arm(this.#routeTimer, timeoutMs)
    const stream = this.#try?.stream
    if (stream !== undefined && this.head.framing !== FRAMING.none) stream.endRequest(this.#buffer.trailers)
    for (const mirror of mirrors) sendMirror(mirror, this.head, this.#decision, this.#buffer, this.#context)
  }

  #startTry(): void {
    const cluster = this.#cluster as Cluster
    const { authority, connect, retry } = this.#decision
    const host = this.#pickHost(cluster)
    if (host === undefined) {
      cluster.stats.upstream_cx_none_healthy.inc()
      this.#fail(503, 'no_healthy_upstream', 'UH', REPLY_BODY.noHealthyUpstream)
      return
    }
    this.#tries++
    const attempt = new UpstreamTry(this, cluster, host, this.head, authority, connect !== undefined)
    this.#try = attempt
    const perTryMs = retry?.perTryTimeoutMs ?? 0
    if (perTryMs > 0) this.#context.wheel.arm(this.#tryTimer, perTryMs)
    cluster.send(host, attempt)
  }

  #pickHost(cluster: Cluster): Host | undefined {
    if (cluster.plan.discovery === 'original_dst') {
      const endpoint = originalEndpoint(this.facts)
      return endpoint === undefined ? undefined : cluster.hostAt(endpoint)
    }
    const { retry } = this.#decision
    const choice = this.#choice
    choice.avoid = retry?.avoidPreviousHosts === true ? this.#retries?.triedHosts : undefined
    choice.draws = retry?.hostSelectionAttempts ?? 0
    return cluster.pickHost(choice)
  }

  onTryStream(attempt: UpstreamTry): void {
    const decision = this.#decision
    const target = this.#target
    const { isEnded, trailers } = this.#buffer
    const chunks = this.#buffer.pieces()
    const hasBody = this.head.framing !== FRAMING.none
    target.path = decision.path
    target.authority = decision.authority
    target.attemptCount = decision.virtualHost?.includeAttemptCount === true ? this.#tries : 0
    const proxyVersion = decision.connect?.proxyProtocol
    target.preface = proxyVersion && encodeProxyHeader(proxyVersion, this.facts)
    attempt.writeHead(this.head, target, hasBody, chunks)
    if (chunks.length > 0 && this.#buffer.dropIfFull()) attempt.cluster.stats.retry_or_shadow_abandoned.inc()
    if (isEnded) {
      if (hasBody) attempt.stream?.endRequest(trailers)
    } else if (attempt.stream?.isWritable === true) this.#downstream.resumeReading()
  }

  onTryWritable(): void {
    if (!this.#buffer.isEnded) this.#downstream.resumeReading()
  }

  // === the response ===

  onTryHead(attempt: UpstreamTry, head: ResponseHead): void {
    const { status } = head
    this.#idle.touch()
    countUpstreamStatus(attempt.cluster.stats, status)
    if (status === 101 || (this.head.method === 'CONNECT' && status < 300)) {
      this.#startTunnel(attempt, head)
      return
    }
    const { retry } = this.#decision
    if (retry !== undefined && retriesResponse(retry, status, head) && this.#mayRetry()) {
      attempt.discard(head)
      this.#scheduleRetry()
      return
    }
    this.#context.wheel.disarm(this.#tryTimer)
    this.#startResponse(head, head.framing)
  }

  #startResponse(head: ResponseHead, framing: Framing): void {
    this.#retries?.release(head.status < 500)
    if (this.#routes !== undefined) mutateHeaders(this.#routes, this.#decision, this, head, 'response')
    const { responseHeaders, grpcWeb } = this.#decision
    if (grpcWeb !== undefined) {
      head.set('content-type', responseType(grpcWeb))
      head.remove('content-length')
    }
    if (responseHeaders !== undefined) {
      for (const change of responseHeaders) changeResponse(head, change)
    }
    const elapsedMs = Math.max(0, Math.round(this.#context.clock.nowMs() - this.#startMs))
    completeResponseHead(head, this.#manager as HttpManagerPlan, this.#context.date, elapsedMs)
    this.#answerStarted = true
    this.#stats?.status(head.status).inc()
    const hasTrailersInside = grpcWeb !== undefined && framing === FRAMING.length
    this.#downstream.writeHead(head.status, head, head.hasStartLine, hasTrailersInside ? FRAMING.chunked : framing)
  }

  onTryData(data: Buffer, isStable: boolean): void {
    this.#idle.touch()
    const { grpcWeb } = this.#decision
    const written = grpcWeb === undefined ? data : encodeData(data, grpcWeb)
    if (!this.#downstream.writeData(written, isStable)) this.#try?.stream?.pauseReading()
  }

  onTryTrailers(lines: string): void {
    this.#trailers = lines
  }

  onTryReadPause(): void {
    this.#downstream.flush()
  }

  onTryEnd(): void {
    const trailers = this.#trailers
    this.#trailers = ''
    if (this.#isTunnel && !this.#buffer.isEnded) {
      this.#responseIsOver = true
      this.#downstream.endResponse('')
      return
    }
    this.#try = undefined
    this.#cluster?.stats.upstream_rq_completed.inc()
    const { grpcWeb } = this.#decision
    this.#finish()
    if (grpcWeb !== undefined && trailers !== '') {
      // A browser sees no trailers: they are the last message of the body.
      this.#downstream.writeData(encodeTrailers(trailers, grpcWeb), true)
      this.#downstream.endResponse('')
    } else this.#downstream.endResponse(trailers)
  }

  /** The upstream has taken an upgrade or a CONNECT: from now on bytes pass as they come, and no time-out but idleness ends it. */
  #startTunnel(attempt: UpstreamTry, head: ResponseHead): void {
    if (this.head.upgrade === '' && this.head.method !== 'CONNECT') {
      this.#abandonTry()
      this.#fail(502, 'upgrade_failed', 'UPE', REPLY_BODY.reset('protocol error'))
      return
    }
    const { wheel } = this.#context
    wheel.disarm(this.#routeTimer)
    wheel.disarm(this.#tryTimer)
    this.#isTunnel = true
    this.#buffer.reset()
    this.#stats?.downstream_cx_upgrades_active.inc()
    this.#startResponse(head, FRAMING.none)
    this.#downstream.flush()
    this.#downstream.becomeTunnel()
    if (attempt.stream?.isWritable === false) this.#downstream.pauseReading()
  }

  // === failures, retries, time-outs ===

  onTryFailure(attempt: UpstreamTry, failure: PoolFailure | ResetReason, detail: string): void {
    this.#try = undefined
    if (this.#answerStarted) {
      this.#finish()
      this.#downstream.destroy()
      return
    }
    if (failure === 'internal_error') {
      this.#fail(500, 'internal_error', '', REPLY_BODY.internalError)
      return
    }
    if (failure === 'overflow') {
      this.#fail(503, 'overflow', 'UO', REPLY_BODY.reset('overflow'))
      return
    }
    const mayResend = failure === 'refused' || failure === 'reset'
    if (mayResend && this.#retryState().takesSilently(attempt, failure, !this.#buffer.hasOverflowed)) {
      this.#tries--
      this.#startTry()
      return
    }
    const { retry } = this.#decision
    const kind: TryFailure = failure === 'no_healthy_upstream' ? 'connect_failure' : failure
    if (retry !== undefined && retriesFailure(retry, kind, attempt.requestWasSent) && this.#mayRetry()) {
      this.#retryState().noteTriedHost(attempt)
      this.#scheduleRetry()
      return
    }
    countUpstreamStatus(attempt.cluster.stats, 503)
    const answerTo = failureReply(failure, detail)
    this.#fail(answerTo.status, answerTo.detail, answerTo.flag, answerTo.body)
  }

  /** Made when the first try fails. */
  #retryState(): RetryState {
    this.#retries ??= new RetryState(this.random)
    return this.#retries
  }

  /** Whether another try may be made: tries are left, the body can be sent again, the cluster's breaker lets it. */
  #mayRetry(): boolean {
    const { retry } = this.#decision
    const cluster = this.#cluster
    if (retry === undefined || cluster === undefined || this.#buffer.hasOverflowed) return false
    const outcome = this.#retryState().reserve(retry, cluster, this.#tries)
    if (outcome === 'limit') this.#decision.flag = 'URX'
    return outcome === 'granted'
  }

  #scheduleRetry(): void {
    const { retry } = this.#decision
    if (retry === undefined) return
    this.#context.wheel.disarm(this.#tryTimer)
    if (this.#try !== undefined) this.#retryState().noteTriedHost(this.#try)
    this.#try = undefined
    this.#cluster?.stats.upstream_rq_retry.inc()
    this.#wait(this.#retryState().nextDelayMs(retry))
  }

  #wait(delayMs: number): void {
    this.#isWaiting = true
    this.#context.wheel.arm(this.#waitTimer, delayMs)
  }

  /** A fault's delay, or the back-off before a retry, is over. */
  #onWaited(): void {
    if (!this.isActive) return
    this.#isWaiting = false
    if (this.#tries === 0) this.#carryOut()
    else this.#startTry()
  }

  #onTryTimeout(): void {
    const attempt = this.#try
    if (!this.isActive || attempt === undefined || this.#answerStarted) return
    attempt.cluster.stats.upstream_rq_per_try_timeout.inc()
    attempt.noteTimeout()
    this.#abandonTry()
    const { retry } = this.#decision
    if (retry !== undefined && retriesFailure(retry, 'per_try_timeout', true) && this.#mayRetry()) {
      this.#retryState().noteTriedHost(attempt)
      this.#scheduleRetry()
      return
    }
    countUpstreamStatus(attempt.cluster.stats, 504)
    this.#fail(504, 'upstream_per_try_timeout', 'UT', REPLY_BODY.perTryTimeout)
  }

  #onRouteTimeout(): void {
    if (!this.isActive) return
    this.#cluster?.stats.upstream_rq_timeout.inc()
    if (!this.#answerStarted) this.#try?.noteTimeout()
    this.#abandonTry()
    if (this.#answerStarted) {
      this.#finish()
      this.#downstream.destroy()
      return
    }
    if (this.#cluster !== undefined) countUpstreamStatus(this.#cluster.stats, 504)
    this.#fail(504, 'response_timeout', 'UT', REPLY_BODY.timeout)
  }

  /** Nothing has passed for the stream's idle time-out (Envoy's stream_idle_timeout). */
  #onIdleTimer(): void {
    if (!this.isActive || !this.#idle.isDue(!this.#isWaiting)) return
    this.#stats?.downstream_rq_idle_timeout.inc()
    this.#abandonTry()
    if (this.#answerStarted) {
      this.#finish()
      this.#downstream.destroy()
    } else this.#fail(this.#buffer.isEnded ? 504 : 408, 'stream_idle_timeout', 'SI', REPLY_BODY.idleTimeout)
  }

  #abandonTry(): void {
    const attempt = this.#try
    this.#try = undefined
    attempt?.abandon()
  }

  // === our own answers ===

  #fail(status: number, detail: string, flag: Decision['flag'], body: Buffer): void {
    answer(this.#decision, status, detail, this.#decision.flag === 'URX' ? 'URX' : flag)
    this.#decision.body = body
    this.#reply()
  }

  #reply(): void {
    const decision = this.#decision
    const manager = this.#manager as HttpManagerPlan
    const reply = localReply(decision, isGrpc(this))
    if (decision.outcome !== 'local_reply' && this.#routes !== undefined) {
      mutateHeaders(this.#routes, decision, this, reply.fields, 'response')
    }
    if (decision.grpcWeb !== undefined) reply.fields.set('content-type', responseType(decision.grpcWeb))
    completeLocalFields(reply.fields, manager, this.#context.date)
    const body = this.head.method === 'HEAD' ? undefined : reply.body
    this.#answerStarted = true
    this.#stats?.status(reply.status).inc()
    this.#finish()
    const framing = body === undefined ? FRAMING.none : FRAMING.length
    this.#downstream.writeHead(reply.status, reply.fields, false, framing)
    if (body !== undefined) this.#downstream.writeData(body, true)
    this.#downstream.endResponse('')
  }

  /** Lets everything go that this request held. */
  #finish(): void {
    if (!this.isActive) return
    this.isActive = false
    // The stream of a try is used again by others.
    this.#try = undefined
    this.#isWaiting = false
    if (this.#isTunnel) {
      this.#isTunnel = false
      this.#stats?.downstream_cx_upgrades_active.dec()
    }
    const { wheel } = this.#context
    wheel.disarm(this.#routeTimer)
    wheel.disarm(this.#tryTimer)
    wheel.disarm(this.#waitTimer)
    this.#retries?.release()
    this.#inquiry?.cancel()
    this.#inquiry = undefined
    this.#buffer.reset()
    this.#stats?.downstream_rq_active.dec()
    this.#cluster = undefined
    this.#routes = undefined
    this.#plan = undefined
  }
}
