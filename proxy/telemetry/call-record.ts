import type { ResponseFlag } from '../../api/response-flags.ts'
import { type ConnectionFacts, learnAddresses } from '../decide/connection-facts.ts'
import type { Decision } from '../decide/decision.ts'
import type { HttpManagerPlan } from '../plan/plan.ts'
import type { WorkloadFacts } from '../plan/workload.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { RequestHead } from '../stream/message.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import { GrpcMessages } from './grpc-messages.ts'
import type { CallObservers } from './observers.ts'
import type { TraceNote } from './trace-note.ts'

/** An answer to bytes that are no request, by whoever reads them. */
export interface Refusal {
  readonly status: number
  /** In Envoy's words. */
  readonly detail: string
  readonly flag: ResponseFlag | ''
  readonly body: string
}

/** Of whom a record tells. */
export interface RecordedCall {
  readonly head: RequestHead
  readonly facts: ConnectionFacts
  readonly decision: Decision
}

/**
 * What one request was like, for those who observe. It belongs to an exchange and is used again for the next request, as are head
 * and decision, which stay until observers were told of the end (ended-calls.ts): keep nothing of it. Times are the monotonic clock's, in milliseconds; 0 where it did not come to that.
 */
export class CallRecord {
  /** What tells it from a ConnectionRecord: what class an object is of takes longer to find out. */
  readonly isCall = true
  /** The request as it stands now: after onForward(), as it was sent upstream. */
  readonly head: RequestHead
  readonly facts: ConnectionFacts
  readonly decision: Decision
  observers!: CallObservers
  /** It is over, and observers have not been told yet. */
  isUntold = false
  manager!: HttpManagerPlan
  /** Of the Unix epoch. */
  startWallMs = 0
  startMs = 0
  /** The request's last byte was here. */
  requestEndMs = 0
  /** The request's head was handed to a connection, that of the last try. */
  upstreamStartMs = 0
  /** The answer's head was here, or was made. */
  responseMs = 0
  endMs = 0
  /** Of bodies, as the client sent and got them; in a tunnel, of what passed. */
  receivedBytes = 0
  sentBytes = 0
  /** Of the answer; 0 where there was none. */
  status = 0
  /** Lines of the answer's trailers, or ''. */
  trailers = ''
  tries = 0
  /** Where the last try went. */
  host: Host | undefined
  cluster: Cluster | undefined
  /** Our end of its connection, `address:port`; '' where nobody has asked. */
  upstreamLocalAddress = ''
  /** The answer was the upstream's. */
  isUpstreamAnswer = false
  /** How the call ended before its answer was whole, beside decision.flag; '' where it did not. */
  ending: ResponseFlag | '' = ''
  /** Why it ended so, in Envoy's words; '' where decision.detail tells. */
  endingDetail = ''
  /** Who the other end says that it is, where it said so and may be believed. */
  peer: WorkloadFacts | undefined
  /** It has said who it is, and is to be told who answers. */
  askedWho = false
  /** It is a call of gRPC, so somebody counts its messages. */
  isGrpc = false
  /** -1 where there was none, or nobody looked. */
  grpcStatus = -1
  readonly requestMessages = new GrpcMessages()
  readonly responseMessages = new GrpcMessages()
  /** By which trace it is known, where one is. */
  trace: TraceNote | undefined
  /** The tracer's own, of a call before: its next one may take it. */
  spareTrace: TraceNote | undefined
  readonly #responseValues: (string | undefined)[] = []

  constructor({ head, facts, decision }: RecordedCall) {
    this.head = head
    this.facts = facts
    // Whoever tells of the call does it when the client may have gone.
    learnAddresses(facts)
    this.decision = decision
  }

  begin(observers: CallObservers, manager: HttpManagerPlan, startMs: number, startWallMs: number): void {
    // To store a reference costs more than to see that it is there.
    if (this.observers !== observers) this.observers = observers
    if (this.manager !== manager) this.manager = manager
    this.startMs = startMs
    this.startWallMs = startWallMs
    this.requestEndMs = 0
    this.upstreamStartMs = 0
    this.responseMs = 0
    this.endMs = 0
    this.receivedBytes = 0
    this.sentBytes = 0
    this.status = 0
    this.trailers = ''
    this.peer = undefined
    this.askedWho = false
    if (this.isGrpc) {
      this.isGrpc = false
      this.requestMessages.reset()
      this.responseMessages.reset()
    }
    this.grpcStatus = -1
    this.tries = 0
    this.host = undefined
    this.cluster = undefined
    this.upstreamLocalAddress = ''
    this.isUpstreamAnswer = false
    this.ending = ''
    this.endingDetail = ''
    this.trace = undefined
    const values = this.#responseValues
    for (let i = 0; i < values.length; i++) values[i] = undefined
  }

  /** Keeps of an answer what will be asked for: its memory is not ours when the call ends. */
  keepResponse(status: number, fields: HeaderBlock): void {
    this.status = status
    const { responseFields } = this.observers
    for (let i = 0; i < responseFields.length; i++) this.#responseValues[i] = fields.get(responseFields[i] as string)
  }

  refuse({ status, detail, flag, body }: Refusal, nowMs: number): void {
    this.status = status
    this.responseMs = nowMs
    this.sentBytes = body.length
    this.noteEnding(flag, detail)
  }

  /** How the call ended before its answer was whole: what is noted first counts. */
  noteEnding(flag: ResponseFlag | '', detail: string): void {
    if (this.endingDetail !== '') return
    this.ending = flag
    this.endingDetail = detail
  }

  /** Bytes of the request's body have come. */
  receive(data: Buffer): void {
    this.receivedBytes += data.length
    if (this.isGrpc) this.requestMessages.read(data)
  }

  /** Bytes of the answer's body leave. */
  send(data: Buffer): void {
    this.sentBytes += data.length
    if (this.isGrpc) this.responseMessages.read(data)
  }

  /** A field of the answer; only those that an observer has named in `responseFields` are known. */
  responseField(lowerName: string): string | undefined {
    const index = this.observers.responseFields.indexOf(lowerName)
    return index < 0 ? undefined : this.#responseValues[index]
  }

  /** Envoy's %DURATION%: from the start to the last byte out. */
  get durationMs(): number {
    return this.endMs - this.startMs
  }

  /** Every response flag that holds, as %RESPONSE_FLAGS% has them; none is an empty list. */
  get flags(): readonly ResponseFlag[] {
    const { flag, retryFlag } = this.decision
    if (flag === '' && retryFlag === '' && this.ending === '') return NO_FLAGS
    return [...new Set([flag, retryFlag, this.ending])].filter((one) => one !== '')
  }

  /** %RESPONSE_CODE_DETAILS%; '' for none. */
  get detail(): string {
    if (this.endingDetail !== '') return this.endingDetail
    return this.isUpstreamAnswer ? 'via_upstream' : this.decision.detail
  }
}

const NO_FLAGS: readonly ResponseFlag[] = []
