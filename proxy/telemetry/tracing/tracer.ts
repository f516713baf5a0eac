import { createLogger } from '../../../lib/log.ts'
import { RandomWords } from '../../../lib/random.ts'
import type { NodeFacts } from '../../node-facts.ts'
import type { FieldBatch } from '../../stream/field-batch.ts'
import type { HeaderBlock } from '../../stream/header-block.ts'
import type { CallRecord } from '../call-record.ts'
import type { CallObserver, CallObserverPlan, ObserverContext } from '../observer.ts'
import { ChainWatch } from './chain-watch.ts'
import { callerOf, continueTraceparent, FORM, readContext, TraceContext, writeContext } from './context.ts'
import { spanSink } from './exporters.ts'
import { TraceIds } from './ids.ts'
import type { CustomTagPlan, ProviderPlan, TracingPlan } from './plan.ts'
import { drawTraced } from './sampling.ts'
import type { Span, SpanMoment } from './span.ts'
import { downstreamTags, isErroneous, momentsOf, upstreamTags } from './tags.ts'
import { FOUND, TraceFields } from './trace-fields.ts'
import { KeptCall, PassedCall } from './trace-notes.ts'

const DECORATOR = 'x-envoy-decorator-operation'
const NO_MOMENTS: readonly SpanMoment[] = []

/** Where spans go. */
export interface SpanSink {
  add(span: Span): void
}

/** The tracer of one connection manager. */
export class TracerPlan implements CallObserverPlan {
  readonly plan: TracingPlan

  constructor(plan: TracingPlan) {
    this.plan = plan
  }

  create(context: ObserverContext): CallObserver {
    const customTags = this.plan.customTags.map((tag) => ofNode(tag, context.node))
    const chains = context.sink('trace chains', () => new ChainWatch(context.stream, createLogger('tracing')))
    const ids = context.sink('trace ids', () => new TraceIds(new RandomWords(context.stream.random)))
    return new Tracer({ ...this.plan, customTags }, context, spanSink(this.plan.provider, context), chains, ids)
  }
}

/** Istio's tags of the workload, where the environment does not tell them. */
function ofNode(custom: CustomTagPlan, { metadata }: NodeFacts): CustomTagPlan {
  if (custom.kind !== 'literal' || custom.value !== '') return custom
  const { NAMESPACE, CLUSTER_ID, MESH_ID, WORKLOAD_NAME, LABELS } = metadata
  const labels = (typeof LABELS === 'object' ? LABELS : null) as Readonly<Record<string, unknown>> | null
  const known: Readonly<Record<string, unknown>> = {
    'istio.canonical_service':
      labels?.['service.istio.io/canonical-name'] ?? labels?.['app.kubernetes.io/name'] ?? labels?.app ?? WORKLOAD_NAME,
    'istio.canonical_revision':
      labels?.['service.istio.io/canonical-revision'] ??
      labels?.['app.kubernetes.io/version'] ??
      labels?.version ??
      'latest',
    'istio.cluster_id': CLUSTER_ID,
    'istio.mesh_id': MESH_ID,
    'istio.namespace': NAMESPACE,
  }
  const value = Object.hasOwn(known, custom.tag) ? known[custom.tag] : undefined
  return typeof value === 'string' ? { ...custom, value } : custom
}

/**
 * Reads the context of a request, decides whether its span is kept, and writes the context of that span, kept or not: the
 * chain goes on either way. What is not kept costs its identifiers and its headers.
 */
export class Tracer implements CallObserver {
  readonly #plan: TracingPlan
  readonly #context: ObserverContext
  readonly #sink: SpanSink
  readonly #chains: ChainWatch
  readonly #ids: TraceIds
  readonly #fields = new TraceFields()
  readonly #incoming = new TraceContext()
  readonly #preferred: 'w3c' | 'b3'
  readonly #forms: number
  readonly #isInbound: boolean
  readonly #is128Bit: boolean
  readonly #kind: Span['kind']

  constructor(plan: TracingPlan, context: ObserverContext, sink: SpanSink, chains: ChainWatch, ids: TraceIds) {
    this.#chains = chains
    this.#ids = ids
    this.#plan = plan
    this.#context = context
    this.#sink = sink
    const { provider } = plan
    this.#preferred = provider.kind === 'zipkin' ? 'b3' : 'w3c'
    this.#forms = formsOf(provider)
    this.#isInbound = plan.direction === 'inbound'
    this.#is128Bit = provider.kind !== 'zipkin' || provider.is128Bit
    this.#kind = plan.direction === 'inbound' || plan.spawnsUpstreamSpan ? 'server' : 'client'
  }

  onRequest(record: CallRecord): void {
    const { head } = record
    const fields = this.#fields
    fields.read(head)
    const isDrawn = drawTraced(head, fields, this.#plan.sampling, this.#context.stream.random)
    if (!this.#isPlain(head, isDrawn)) {
      this.#begin(record, isDrawn)
      return
    }
    const { found, traceparentAt } = fields
    const operation = this.#isInbound && (found & FOUND.decorator) !== 0 ? takeOperation(head) : ''
    const ids = this.#ids
    const { traceparents, line } = ids
    if (ids.isNextKept) {
      const parentId = traceparentAt < 0 ? '' : callerOf(head, traceparentAt)
      record.trace = new KeptCall(ids.nextTraceId, ids.nextSpanId, parentId, false, false, operation)
    } else notePassed(record, traceparents, line)
    head.appendOf(traceparents, line)
    ids.goOn()
    this.#tellChains(traceparentAt >= 0)
  }

  /**
   * Whether the next traceparent is that of this call, as it is of most: nobody speaks of B3, and it begins a trace or goes on in one
   * that is well told of. #begin() sees more of others.
   */
  #isPlain(head: HeaderBlock, isDrawn: boolean): boolean {
    const { found, traceparents, traceparentAt } = this.#fields
    if (this.#forms !== FORM.w3c || (found & FOUND.b3) !== 0) return false
    // The state of vendors without a trace that it belongs to is taken away.
    if ((found & (FOUND.traceparent | FOUND.tracestate)) === 0) {
      if (isDrawn) this.#ids.beginTrace()
      return true
    }
    if (traceparents !== 1 || traceparentAt < 0 || !continueTraceparent(head, traceparentAt, this.#ids)) return false
    head.removeAt(traceparentAt)
    return true
  }

  #begin(record: CallRecord, isDrawn: boolean): void {
    const { head } = record
    const incoming = this.#incoming
    const { found } = this.#fields
    if ((found & (FOUND.traceparent | FOUND.b3)) === 0) incoming.clear()
    else readContext(head, this.#preferred, incoming)
    this.#tellChains(incoming.forms !== 0)
    const isSampled = incoming.isSampled ?? isDrawn
    const hadTrace = incoming.traceId !== ''
    const isShared = hadTrace && this.#kind === 'server' && this.#sharesSpans
    const traceId = hadTrace ? incoming.traceId : this.#ids.traceId(this.#is128Bit)
    const spanId = isShared ? incoming.spanId : this.#ids.spanId()
    const parentId = isShared ? incoming.parentId : incoming.spanId
    const { isDebug } = incoming
    const operation = this.#isInbound && (found & FOUND.decorator) !== 0 ? takeOperation(head) : ''
    const forms = this.#forms | incoming.forms
    const call = isSampled
      ? new KeptCall(traceId, spanId, parentId, isDebug, isShared, operation)
      : { traceId, spanId, parentId, isSampled: false, isDebug: false }
    record.trace = call
    writeContext(head, call, forms, hadTrace)
  }

  #tellChains(hasContext: boolean): void {
    if (this.#isInbound) this.#chains.onInbound(1)
    // An identifier that was not made here was passed on, or made, by the application: it may belong to a call that came.
    else this.#chains.onOutbound(hasContext || this.#fields.requestIdAt >= 0)
  }

  get #sharesSpans(): boolean {
    const { provider } = this.#plan
    return provider.kind === 'zipkin' && provider.sharesSpans
  }

  onForward(record: CallRecord): void {
    const { head } = record
    const decorator = record.decision.route?.decorator
    const call = keptCall(record)
    if (decorator !== undefined) {
      if (!this.#isInbound && decorator.propagate) {
        head.remove(DECORATOR)
        head.append(DECORATOR, decorator.operation)
      }
      if (call !== undefined && call.operation === '') call.operation = decorator.operation
    }
    if (call === undefined || !this.#plan.spawnsUpstreamSpan) return
    call.upstreamSpanId = this.#ids.spanId()
    const { traceId, spanId, isDebug } = call
    const child = { traceId, spanId: call.upstreamSpanId, parentId: spanId, isSampled: true, isDebug }
    // onRequest() has written every form that this request has.
    writeContext(head, child, this.#forms | formsIn(head), true)
  }

  onResponse(record: CallRecord, fields: HeaderBlock): void {
    const call = keptCall(record)
    if (call !== undefined) {
      call.grpcStatus = fields.get('grpc-status')
      call.grpcMessage = fields.get('grpc-message')
    }
    if (this.#isInbound || !fields.has(DECORATOR)) return
    // The proxy of the called workload may know better what it did.
    const operation = takeOperation(fields)
    if (operation !== '' && call !== undefined) call.operation = operation
  }

  onEnd(record: CallRecord): void {
    // Without a note it was refused before anybody was told.
    if (record.trace !== undefined && this.#isInbound) this.#chains.onInbound(-1)
    const call = keptCall(record)
    if (call === undefined) return
    const plan = this.#plan
    const isError = isErroneous(record, call)
    const { traceId, isDebug } = call
    this.#sink.add({
      traceId,
      spanId: call.spanId,
      parentId: call.parentId,
      name: call.operation || this.#defaultName(record),
      kind: this.#kind,
      startMs: record.startWallMs,
      durationMs: record.durationMs,
      tags: downstreamTags(record, call, plan, this.#context.node),
      moments: plan.isVerbose ? momentsOf(record) : NO_MOMENTS,
      isError,
      isShared: call.isShared,
      isDebug,
    })
    if (call.upstreamSpanId === '') return
    const sentAfterMs = record.upstreamStartMs === 0 ? 0 : record.upstreamStartMs - record.startMs
    this.#sink.add({
      traceId,
      spanId: call.upstreamSpanId,
      parentId: call.spanId,
      name: `router ${record.cluster?.plan.name ?? ''} egress`,
      kind: 'client',
      startMs: record.startWallMs + sentAfterMs,
      durationMs: record.durationMs - sentAfterMs,
      tags: upstreamTags(record, call, plan),
      moments: NO_MOMENTS,
      isError,
      isShared: false,
      isDebug,
    })
  }

  /** Those of Envoy's tracers, where no route and no header names the operation. */
  #defaultName({ head }: CallRecord): string {
    if (this.#plan.provider.kind === 'zipkin') return head.authority
    return this.#isInbound ? 'ingress' : `egress ${head.authority}`
  }
}

/** Most calls are not kept, so their notes are used again. */
function notePassed(record: CallRecord, traceparents: FieldBatch, line: number): void {
  const spare = record.spareTrace as PassedCall | undefined
  if (spare === undefined) record.spareTrace = new PassedCall(traceparents, line)
  else spare.become(traceparents, line)
  record.trace = record.spareTrace
}

/** Only a kept call is sampled, which is seen at once where what class it is of would have to be looked for. */
function keptCall({ trace }: CallRecord): KeptCall | undefined {
  return trace?.isSampled === true ? (trace as KeptCall) : undefined
}

function formsOf(provider: ProviderPlan): number {
  if (provider.kind === 'opentelemetry') return FORM.w3c
  return provider.writesW3c ? FORM.b3Multi | FORM.w3c : FORM.b3Multi
}

function formsIn(head: HeaderBlock): number {
  return (
    (head.has('traceparent') ? FORM.w3c : 0) |
    (head.has('b3') ? FORM.b3Single : 0) |
    (head.has('x-b3-traceid') ? FORM.b3Multi : 0)
  )
}

/** The operation that a proxy tells of, which is for proxies alone. */
function takeOperation(fields: HeaderBlock): string {
  const operation = fields.get(DECORATOR)
  if (operation === undefined) return ''
  fields.remove(DECORATOR)
  return operation.slice(0, MAX_OPERATION_LENGTH)
}

const MAX_OPERATION_LENGTH = 256
