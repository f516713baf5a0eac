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
import { CallRecord, type Refusal } from '../telemetry/call-record.ts'
import type { CallObservers } from '../telemetry/observers.ts'
import type { Cluster } from '../upstream/cluster.ts'
import { countUpstreamStatus } from '../upstream/stats.ts'
import type { StreamContext } from './context.ts'
import type { Downstream } from './downstream.ts'
import { FaultWatch } from './fault-watch.ts'
import type { HeaderBlock } from './header-block.ts'
import { IdleWatch } from './idle-watch.ts'
import { Inquiry } from './inquiry.ts'
import { localReply, REPLY_BODY, shed } from './local-reply.ts'
import { countRouted, type ManagerStats } from './manager-stats.ts'
import { FRAMING, type Framing, type RequestHead, type ResponseHead } from './message.ts'
import { sendMirror } from './mirror.ts'
import { NO_RETRY } from './no-retry.ts'
import { RequestBuffer } from './request-buffer.ts'
import { finishRequestHead } from './request-text.ts'
import { completeLocalFields, completeResponseHead } from './response-text.ts'
import { type TriedRequest, Tries } from './tries.ts'
import type { UpstreamTry } from './upstream-try.ts'

/** Status 4 (gRPC, "Status codes"). */
const GRPC_DEADLINE_EXCEEDED = 4

/**
 * One request's life: decided, perhaps after asking, perhaps delayed, sent upstream in one or more tries, answered. It belongs to a
 * downstream connection and is used again for the next request. Exactly one answer is given for each begin(), unless
 * the client leaves first.
 */
export class Exchange implements Call, TriedRequest {
  readonly head: RequestHead
  readonly facts: ConnectionFacts
  readonly random
  readonly downstream: Downstream
  readonly decision: Decision = newDecision()
  readonly buffer = new RequestBuffer()
  readonly around
  randomValue = 0
  /** True from begin() until the answer is complete. */
  isActive = false

  readonly #context: StreamContext
  readonly #base64 = new Base64Reader()
  readonly #tries: Tries
  readonly #routeTimer: WheelTimer
  readonly #delayTimer: WheelTimer
  readonly #fault: FaultWatch
  /** Made for the first route with a max_stream_duration. */
  #durationTimer: WheelTimer | undefined
  readonly #idle: IdleWatch

  #manager: HttpManagerPlan | undefined
  #stats: ManagerStats | undefined
  #plan: Plan | undefined
  #routes: RouteConfigPlan | undefined
  #cluster: Cluster | undefined
  /** What a filter is asking. */
  #inquiry: Inquiry | undefined
  #startMs = 0
  /** When the whole request was here. */
  #requestEndMs = 0
  /** Where somebody observes; undefined else. */
  #record: CallRecord | undefined
  /** Kept from one request to the next. */
  #ownRecord: CallRecord | undefined
  /** As #requestEndMs, if the time from then is bounded; else 0. */
  #completeMs = 0
  #isBeginning = false
  /** A fault delays it. */
  #isDelayed = false
  #answerStarted = false
  #isTunnel = false
  /** In a tunnel: the upstream has ended its half. */
  #responseIsOver = false
  #trailers = ''

  constructor(context: StreamContext, downstream: Downstream) {
    this.#context = context
    this.downstream = downstream
    this.head = downstream.head
    this.facts = downstream.facts
    this.random = context.random
    this.around = context.around
    this.#tries = new Tries(context, this)
    this.#fault = new FaultWatch(context)
    const timer = (onDue: () => void) => new WheelTimer(context.bugs.guard('stream', onDue, () => downstream.destroy()))
    this.#routeTimer = timer(() => this.#onRouteTimeout())
    this.#delayTimer = timer(() => this.#onDelayed())
    this.#idle = new IdleWatch(
      context.wheel,
      timer(() => this.#onIdleTimer()),
    )
  }

  wallMs(): number {
    return this.#context.clock.wallMs()
  }

  get elapsedMs(): number {
    return this.#completeMs === 0 ? 0 : this.#context.clock.nowMs() - this.#completeMs
  }

  addRequestId(head: HeaderBlock): void {
    this.#context.addRequestId(head)
  }

  /** How the answer came about, as access logs write it; '' for one of the upstream's. */
  get responseFlag(): Decision['flag'] {
    return this.decision.flag
  }

  // === from the downstream connection ===

  /** Before the memory of its head, or anything else of it, is used for the next request. */
  settle(): void {
    if (this.#ownRecord?.isUntold === true) this.#context.telemetry.tellEnded()
  }

  /** The request's head has come. A body may follow. */
  begin(manager: HttpManagerPlan, stats: ManagerStats): void {
    const context = this.#context
    this.isActive = true
    this.#manager = manager
    this.#stats = stats
    this.#plan = context.plan
    this.#startMs = context.clock.nowMs()
    this.#requestEndMs = this.#startMs
    this.#isBeginning = true
    this.#completeMs = 0
    this.#answerStarted = false
    this.#isTunnel = false
    this.#responseIsOver = false
    this.buffer.reset()
    this.#base64.reset()
    this.buffer.isEnded = this.head.framing === FRAMING.none
    stats.downstream_rq_total.inc()
    stats.downstream_rq_active.inc()
    this.randomValue = Math.floor(this.random.next() * RANDOM_VALUE_BOUND)
    const decision = this.decision
    resetDecision(decision)
    this.#idle.watch(manager.streamIdleTimeoutMs)
    const observers = context.telemetry.observersOf(manager)
    if (observers !== undefined) this.#observe(observers, manager)
    if (context.overload.isShedding) shed(decision, stats)
    else if (prepareRequest(manager, this, decision)) {
      observers?.onRequest(this.#record as CallRecord)
      this.#routes = routesOf(this.#plan, manager)
      decide(this.#plan, manager, this.#routes, this, decision)
    }
    this.#onDecided()
    this.#isBeginning = false
  }

  /** What is done at once with a head that has come is done at that time: the clock takes as long as many a step. */
  #nowMs(): number {
    return this.#isBeginning ? this.#startMs : this.#context.clock.nowMs()
  }

  #observe(observers: CallObservers, manager: HttpManagerPlan): void {
    this.#ownRecord ??= new CallRecord(this)
    this.#record = this.#ownRecord
    this.#record.begin(observers, manager, this.#startMs, this.#context.telemetry.wallMsAt(this.#startMs))
    if (this.buffer.isEnded) this.#record.requestEndMs = this.#startMs
  }

  onRequestData(received: Buffer): void {
    if (!this.isActive) return
    this.#record?.receive(received)
    const data = this.decision.grpcWeb?.isTextRequest === true ? this.#decodeText(received) : received
    if (data === undefined || data.length === 0) return
    this.#idle.touch()
    const stream = this.#tries.stream
    if (this.#isTunnel) {
      if (stream?.writeData(data) === false) this.downstream.pauseReading()
      return
    }
    const buffer = this.buffer
    buffer.add(data)
    this.#tries.touch()
    if (stream === undefined) {
      if (buffer.isFull && this.#tries.isBackingOff) {
        this.#cluster?.stats.retry_or_shadow_abandoned.inc()
        this.#fail(507, 'request_payload_exceeded_retry_buffer_limit', '', REPLY_BODY.retryOverflow)
        return
      }
      if (buffer.isFull) this.downstream.pauseReading()
      this.#inquiry?.proceed()
      return
    }
    if (!stream.writeData(data)) this.downstream.pauseReading()
    if (buffer.dropIfFull()) this.#cluster?.stats.retry_or_shadow_abandoned.inc()
  }

  /** The base64 of a gRPC-Web request; what is none ends the call. */
  #decodeText(received: Buffer): Buffer | undefined {
    const data = this.#base64.read(received)
    if (data === undefined) this.#refuseText()
    return data
  }

  #refuseText(): void {
    this.#tries.abandon()
    if (this.#answerStarted) {
      this.#finish()
      this.downstream.destroy()
    } else this.#fail(400, 'grpc_base_64_decode_failed', '', REPLY_BODY.badBase64)
  }

  onRequestTrailers(lines: string): void {
    this.buffer.trailers = lines
  }

  onRequestEnd(): void {
    if (!this.isActive) return
    if (this.decision.grpcWeb?.isTextRequest === true && !this.#base64.isWhole) {
      this.#refuseText()
      return
    }
    this.buffer.isEnded = true
    this.#requestEndMs = this.#context.clock.nowMs()
    if (this.#record !== undefined) this.#record.requestEndMs = this.#requestEndMs
    if (this.#isTunnel) {
      this.#tries.stream?.endRequest('')
      if (this.#responseIsOver) this.#finish()
      return
    }
    if (this.#inquiry !== undefined) this.#inquiry.proceed()
    else if (this.decision.outcome === 'forward' && !this.#isDelayed) this.#onForwardedRequestEnd()
  }

  /** The downstream socket takes bytes again. */
  onDownstreamWritable(): void {
    this.#tries.stream?.resumeReading()
  }

  /** The client is gone, and nothing will be asked of this exchange again. */
  onDownstreamGone(): void {
    this.#idle.stop()
    this.onDownstreamClosed()
  }

  /** What followed its head was no request, or did not follow, and the client was told so. */
  onDownstreamRefused(refusal: Refusal): void {
    this.#record?.refuse(refusal, this.#context.clock.nowMs())
    this.onDownstreamClosed()
  }

  /** The client has given the request up, or can no longer be answered. */
  onDownstreamClosed(): void {
    if (!this.isActive) return
    this.#stats?.downstream_rq_rx_reset.inc()
    this.#cluster?.stats.upstream_rq_cancelled.inc()
    this.#record?.noteEnding('DC', 'downstream_remote_disconnect')
    this.#tries.abandon()
    this.#finish()
  }

  // === carrying the decision out ===

  #onDecided(): void {
    const { question, counted, delayMs, choice } = this.decision
    const cluster = this.#context.cluster(choice?.cluster ?? '')
    // Who is told of the call is told where it was to go, even when a filter answers it, as in Envoy.
    if (this.#record !== undefined && choice !== undefined) this.#record.cluster = cluster
    if (question !== undefined) this.#ask(question)
    else {
      for (let i = 0; i < counted.length; i++) this.#stats?.named(counted[i] as string).inc()
      this.#fault.begin(delayMs, this.#stats)
      if (delayMs > 0) this.#delay(delayMs)
      else this.#carryOut(cluster)
    }
  }

  #ask(question: Question): void {
    const onAnswer = (answered: Inquiry, value: unknown) => this.#onAnswer(answered, value)
    const inquiry = new Inquiry(question, this, this.decision, this.buffer, this.#context, onAnswer, this.downstream)
    this.#inquiry = inquiry
    if (inquiry.wantsBody && this.head.expectContinue) {
      this.head.expectContinue = false
      this.downstream.writeContinue()
    }
    inquiry.proceed()
  }

  #onAnswer(inquiry: Inquiry, value: unknown): void {
    if (this.#inquiry !== inquiry || this.#plan === undefined) return
    this.#inquiry = undefined
    resume(this.#plan, this.#manager as HttpManagerPlan, this.#routes, this, this.decision, value)
    this.#onDecided()
  }

  #carryOut(cluster: Cluster | undefined): void {
    const decision = this.decision
    countRouted(this.#stats as ManagerStats, decision)
    if (decision.outcome === 'forward') this.#forward(cluster)
    else this.#reply()
  }

  #forward(cluster: Cluster | undefined): void {
    const decision = this.decision
    if (cluster === undefined) {
      answer(decision, 503, 'cluster_not_found', 'NC')
      this.#stats?.no_cluster.inc()
      this.#reply()
      return
    }
    this.#cluster = cluster
    const { route, maxDurationMs } = decision
    if (maxDurationMs > 0) this.#boundDuration(maxDurationMs)
    if (route?.action.kind === 'forward' && route.action.idleTimeoutMs !== undefined) {
      this.#idle.watch(route.action.idleTimeoutMs)
    }
    if (this.#routes !== undefined) mutateHeaders(this.#routes, decision, this, this.head, 'request')
    finishRequestHead(this.head, decision)
    this.#record?.observers.onForward(this.#record)
    if (this.head.expectContinue) this.downstream.writeContinue()
    this.#tries.begin(cluster)
    if (this.buffer.isEnded && this.isActive) this.#onForwardedRequestEnd()
  }

  /** The whole request is here: the route's time-out runs from now, and mirrors can be sent. */
  #onForwardedRequestEnd(): void {
    const { timeoutMs, mirrors } = this.decision
    if (timeoutMs > 0) {
      this.#completeMs = this.#nowMs()
      this.#context.wheel.arm(this.#routeTimer, timeoutMs)
    }
    this.#tries.onRequestComplete()
    if (this.head.framing !== FRAMING.none) this.#tries.stream?.endRequest(this.buffer.trailers)
    for (const mirror of mirrors) sendMirror(mirror, this.head, this.decision, this.buffer, this.#context)
  }

  // === the response ===

  onTryStarted(attempt: UpstreamTry): void {
    const record = this.#record
    if (record === undefined) return
    record.tries = this.#tries.count
    record.host = attempt.host
  }

  onTrySent(): void {
    if (this.#record !== undefined) this.#record.upstreamStartMs = this.#nowMs()
  }

  onAnswerHead(attempt: UpstreamTry, head: ResponseHead): void {
    this.#idle.touch()
    if (this.#record !== undefined) {
      if (this.#record.host !== attempt.host) this.#record.host = attempt.host
      this.#record.isUpstreamAnswer = true
    }
    const { status } = head
    if (status === 101 || (this.head.method === 'CONNECT' && status < 300)) this.#startTunnel(attempt, head)
    else this.#startResponse(head, head.framing)
  }

  #startResponse(head: ResponseHead, framing: Framing): void {
    if (this.#routes !== undefined) mutateHeaders(this.#routes, this.decision, this, head, 'response')
    const { responseHeaders, setCookies, grpcWeb } = this.decision
    if (setCookies !== undefined) for (const cookie of setCookies) head.append('set-cookie', cookie)
    if (grpcWeb !== undefined) {
      head.set('content-type', responseType(grpcWeb))
      head.remove('content-length')
    }
    if (responseHeaders !== undefined) {
      for (const change of responseHeaders) changeResponse(head, change)
    }
    const nowMs = this.#context.clock.nowMs()
    const elapsedMs = Math.max(0, Math.round(nowMs - this.#startMs))
    completeResponseHead(head, this.#manager as HttpManagerPlan, this.#context.date, elapsedMs)
    if (
      this.#tries.count > 1 ||
      this.#tries.refusal !== '' ||
      this.decision.virtualHost?.includeAttemptCountInResponse
    ) {
      this.#describeTries(head)
    }
    if (this.#record !== undefined) this.#noteResponse(this.#record, nowMs, head.status, head)
    this.#answerStarted = true
    this.#stats?.countResponse(head.status)
    const hasTrailersInside = grpcWeb !== undefined && framing === FRAMING.length
    this.downstream.writeHead(head.status, head, head.hasStartLine, hasTrailersInside ? FRAMING.chunked : framing)
  }

  onAnswerData(data: Buffer, isStable: boolean): void {
    this.#idle.touch()
    const { grpcWeb } = this.decision
    const written = grpcWeb === undefined ? data : encodeData(data, grpcWeb)
    this.#record?.send(written)
    if (!this.downstream.writeData(written, isStable)) this.#tries.stream?.pauseReading()
  }

  onAnswerTrailers(lines: string): void {
    this.#trailers = lines
    if (this.#record !== undefined) this.#record.trailers = lines
  }

  onAnswerPause(): void {
    this.downstream.flush()
  }

  onAnswerEnd(): void {
    const trailers = this.#trailers
    this.#trailers = ''
    if (this.#isTunnel && !this.buffer.isEnded) {
      this.#responseIsOver = true
      this.downstream.endResponse('')
      return
    }
    const { grpcWeb } = this.decision
    this.#finish(true)
    if (grpcWeb !== undefined && trailers !== '') {
      // A browser sees no trailers: they are the last message of the body.
      this.downstream.writeData(encodeTrailers(trailers, grpcWeb), true)
      this.downstream.endResponse('')
    } else this.downstream.endResponse(trailers)
  }

  /** The upstream has taken an upgrade or a CONNECT: from now on bytes pass as they come, and no time-out but idleness ends it. */
  #startTunnel(attempt: UpstreamTry, head: ResponseHead): void {
    if (this.head.upgrade === '' && this.head.method !== 'CONNECT') {
      this.#tries.abandon()
      this.#fail(502, 'upgrade_failed', 'UPE', REPLY_BODY.reset('protocol error'))
      return
    }
    const { wheel } = this.#context
    wheel.disarm(this.#routeTimer)
    this.#isTunnel = true
    this.buffer.reset()
    this.#stats?.downstream_cx_upgrades_active.inc()
    this.#startResponse(head, FRAMING.none)
    this.downstream.flush()
    this.downstream.becomeTunnel()
    if (attempt.stream?.isWritable === false) this.downstream.pauseReading()
  }

  // === failures, delays, time-outs ===

  onAnswerBroken(): void {
    this.#record?.noteEnding('UC', 'upstream_reset_after_response_started{connection_termination}')
    this.#finish()
    this.downstream.destroy()
  }

  onUnanswered(status: number, detail: string, flag: Decision['flag'], body: Buffer): void {
    this.#fail(status, detail, flag, body)
  }

  #delay(delayMs: number): void {
    this.#isDelayed = true
    this.#context.wheel.arm(this.#delayTimer, delayMs)
  }

  #onDelayed(): void {
    if (!this.isActive) return
    this.#isDelayed = false
    this.#carryOut(this.#context.cluster(this.decision.choice?.cluster ?? ''))
  }

  /** From the request's start, part of which is over. */
  #boundDuration(maxMs: number): void {
    const { bugs, wheel, clock } = this.#context
    const onDue = () => this.#onDurationTimeout()
    this.#durationTimer ??= new WheelTimer(bugs.guard('stream', onDue, () => this.downstream.destroy()))
    wheel.arm(this.#durationTimer, Math.max(0, maxMs - (clock.nowMs() - this.#startMs)))
  }

  #onDurationTimeout(): void {
    if (!this.isActive) return
    this.#stats?.downstream_rq_max_duration_reached.inc()
    this.#tries.abandon()
    if (this.#answerStarted) {
      this.#record?.noteEnding('DT', 'max_duration_timeout')
      this.onAnswerBroken()
      return
    }
    if (isGrpc(this)) this.decision.grpcStatus = GRPC_DEADLINE_EXCEEDED
    this.#fail(this.buffer.isEnded ? 504 : 408, 'max_duration_timeout', 'DT', REPLY_BODY.maxDuration)
  }

  #onRouteTimeout(): void {
    if (!this.isActive) return
    this.#tries.noteTimeout()
    this.#tries.abandon()
    if (this.#answerStarted) {
      this.#record?.noteEnding('UT', 'response_timeout')
      this.#finish()
      this.downstream.destroy()
      return
    }
    if (this.#cluster !== undefined) countUpstreamStatus(this.#cluster.stats, 504)
    this.#fail(504, 'response_timeout', 'UT', REPLY_BODY.timeout)
  }

  /** Nothing has passed for the stream's idle time-out (Envoy's stream_idle_timeout). */
  #onIdleTimer(): void {
    if (!this.isActive || !this.#idle.isDue(!this.#isDelayed && !this.#tries.isBackingOff)) return
    this.#stats?.downstream_rq_idle_timeout.inc()
    this.#tries.abandon()
    if (this.#answerStarted) {
      this.#record?.noteEnding('SI', 'stream_idle_timeout')
      this.#finish()
      this.downstream.destroy()
    } else this.#fail(this.buffer.isEnded ? 504 : 408, 'stream_idle_timeout', 'SI', REPLY_BODY.idleTimeout)
  }

  // === our own answers ===

  #fail(status: number, detail: string, flag: Decision['flag'], body: Buffer): void {
    answer(this.decision, status, detail, flag)
    this.decision.body = body
    this.#reply()
  }

  #reply(): void {
    const decision = this.decision
    const manager = this.#manager as HttpManagerPlan
    const reply = localReply(decision, isGrpc(this))
    if (decision.outcome !== 'local_reply' && this.#routes !== undefined) {
      mutateHeaders(this.#routes, decision, this, reply.fields, 'response')
    }
    if (decision.grpcWeb !== undefined) reply.fields.set('content-type', responseType(decision.grpcWeb))
    completeLocalFields(reply.fields, manager, this.#context.date)
    if (this.#tries.count > 0) this.#describeTries(reply.fields)
    const body = this.head.method === 'HEAD' ? undefined : reply.body
    if (this.#record !== undefined) {
      this.#noteResponse(this.#record, this.#nowMs(), reply.status, reply.fields)
      this.#record.sentBytes = body?.length ?? 0
    }
    this.#answerStarted = true
    this.#stats?.countResponse(reply.status)
    this.#finish()
    const framing = body === undefined ? FRAMING.none : FRAMING.length
    this.downstream.writeHead(reply.status, reply.fields, false, framing)
    if (body !== undefined) this.downstream.writeData(body, true)
    this.downstream.endResponse('')
  }

  /** What an answer says of the tries behind it. */
  #describeTries(fields: HeaderBlock): void {
    const { count, refusal } = this.#tries
    const { virtualHost, caller } = this.decision
    if (virtualHost?.includeAttemptCountInResponse) fields.set('x-envoy-attempt-count', String(count))
    if (refusal !== '' && caller.isTrusted) fields.set(NO_RETRY, refusal)
  }

  // === what observers are told ===

  #noteResponse(record: CallRecord, nowMs: number, status: number, fields: HeaderBlock): void {
    record.responseMs = nowMs
    record.observers.onResponse(record, fields)
    record.keepResponse(status, fields)
  }

  /** Lets everything go that this request held. `isAnswered`: the upstream's answer is whole. */
  #finish(isAnswered = false): void {
    if (!this.isActive) return
    this.isActive = false
    const nowMs = this.#context.clock.nowMs()
    this.#stats?.downstream_rq_time.record(nowMs - this.#startMs)
    this.#context.out.pacer.onCall(nowMs - this.#startMs)
    if (isAnswered) this.#cluster?.stats.upstream_rq_time.record(nowMs - this.#requestEndMs)
    if (this.#record !== undefined) {
      this.#record.endMs = nowMs
      this.#context.telemetry.ended(this.#record)
      this.#record = undefined
    }
    this.#tries.end()
    this.#isDelayed = false
    if (this.#isTunnel) {
      this.#isTunnel = false
      this.#stats?.downstream_cx_upgrades_active.dec()
    }
    const { wheel } = this.#context
    wheel.disarm(this.#routeTimer)
    wheel.disarm(this.#delayTimer)
    if (this.#durationTimer !== undefined) wheel.disarm(this.#durationTimer)
    this.#fault.end()
    this.#inquiry?.cancel()
    this.#inquiry = undefined
    this.buffer.reset()
    this.#stats?.downstream_rq_active.dec()
    this.#cluster = undefined
    this.#routes = undefined
    this.#plan = undefined
  }
}
