import { createLogger } from '../../../lib/log.ts'
import type { NodeFacts } from '../../node-facts.ts'
import type { HeaderBlock } from '../../stream/header-block.ts'
import type { CallRecord } from '../call-record.ts'
import type { CallObserver, CallObserverPlan, ObserverContext } from '../observer.ts'
import type { TraceNote } from '../trace-note.ts'
import { ChainWatch } from './chain-watch.ts'
import { FORM, mayConcernTraces, type OutgoingContext, readContext, TraceContext, writeContext } from './context.ts'
import { spanSink } from './exporters.ts'
import { newSpanId, newTraceId, newTraceparent, TRACEPARENT_PLACES } from './ids.ts'
import type { CustomTagPlan, ProviderPlan, TracingPlan } from './plan.ts'
import { drawTraced } from './sampling.ts'
import type { Span } from './span.ts'
import { downstreamTags, isErroneous, momentsOf, TAGGED_RESPONSE_FIELDS, upstreamTags } from './tags.ts'

const DECORATOR = 'x-envoy-decorator-operation'

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
    return new Tracer({ ...this.plan, customTags }, context, spanSink(this.plan.provider, context), chains)
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

/** What is known of a call that is kept. */
class KeptCall implements TraceNote, OutgoingContext {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly isSampled = true
  readonly isDebug: boolean
  readonly isShared: boolean
  /** The name that somebody gave; '' where nobody did. */
  operation: string
  /** Of the span of the request that was sent on; '' where it has none of its own. */
  upstreamSpanId = ''

  constructor(
    traceId: string,
    spanId: string,
    parentId: string,
    isDebug: boolean,
    isShared: boolean,
    operation: string,
  ) {
    this.traceId = traceId
    this.spanId = spanId
    this.parentId = parentId
    this.isDebug = isDebug
    this.isShared = isShared
    this.operation = operation
  }
}

/** A call that is not kept, by the traceparent that it was given. */
class PassedCall implements TraceNote {
  readonly isSampled = false
  readonly #traceparent: string

  constructor(traceparent: string) {
    this.#traceparent = traceparent
  }

  get traceId(): string {
    return this.#traceparent.slice(TRACEPARENT_PLACES.traceId, TRACEPARENT_PLACES.spanId - 1)
  }

  get spanId(): string {
    return this.#traceparent.slice(TRACEPARENT_PLACES.spanId, TRACEPARENT_PLACES.flags - 1)
  }
}

/**
 * Reads the context of a request, decides whether its span is kept, and writes the context of that span, kept or not: the
 * chain goes on either way. What is not kept costs its identifiers and its headers.
 */
export class Tracer implements CallObserver {
  readonly responseFields = TAGGED_RESPONSE_FIELDS
  readonly #plan: TracingPlan
  readonly #context: ObserverContext
  readonly #sink: SpanSink
  readonly #chains: ChainWatch
  readonly #incoming = new TraceContext()
  readonly #preferred: 'w3c' | 'b3'
  readonly #forms: number
  readonly #is128Bit: boolean
  readonly #kind: Span['kind']

  constructor(plan: TracingPlan, context: ObserverContext, sink: SpanSink, chains: ChainWatch) {
    this.#chains = chains
    this.#plan = plan
    this.#context = context
    this.#sink = sink
    const { provider } = plan
    this.#preferred = provider.kind === 'zipkin' ? 'b3' : 'w3c'
    this.#forms = formsOf(provider)
    this.#is128Bit = provider.kind !== 'zipkin' || provider.is128Bit
    this.#kind = plan.direction === 'inbound' || plan.spawnsUpstreamSpan ? 'server' : 'client'
  }

  onRequest(record: CallRecord): void {
    const { head } = record
    const incoming = this.#incoming
    const isPlain = !mayConcernTraces(head)
    if (isPlain) incoming.clear()
    else readContext(head, this.#preferred, incoming)
    if (this.#plan.direction === 'inbound') this.#chains.onInbound(1)
    // An identifier that was not made here was passed on, or made, by the application: it may belong to a call that came.
    else this.#chains.onOutbound(incoming.forms !== 0 || head.find('x-request-id') >= 0)
    const { random } = this.#context.stream
    const isDrawn = drawTraced(head, this.#plan.sampling, random, !isPlain)
    if (isPlain && !isDrawn && this.#forms === FORM.w3c) {
      const traceparent = newTraceparent(random)
      record.trace = new PassedCall(traceparent)
      head.append('traceparent', traceparent)
      return
    }
    const isSampled = incoming.isSampled ?? isDrawn
    const hadTrace = incoming.traceId !== ''
    const isShared = hadTrace && this.#kind === 'server' && this.#sharesSpans
    const traceId = hadTrace ? incoming.traceId : newTraceId(random, this.#is128Bit)
    const spanId = isShared ? incoming.spanId : newSpanId(random)
    const parentId = isShared ? incoming.parentId : incoming.spanId
    const { isDebug } = incoming
    const operation = this.#plan.direction === 'inbound' && !isPlain ? takeOperation(head) : ''
    const forms = this.#forms | incoming.forms
    const call = isSampled
      ? new KeptCall(traceId, spanId, parentId, isDebug, isShared, operation)
      : { traceId, spanId, parentId, isSampled: false, isDebug: false }
    record.trace = call
    writeContext(head, call, forms, hadTrace)
  }

  get #sharesSpans(): boolean {
    const { provider } = this.#plan
    return provider.kind === 'zipkin' && provider.sharesSpans
  }

  onForward(record: CallRecord): void {
    const { head } = record
    const decorator = record.decision.route?.decorator
    const note = record.trace
    const call = note instanceof KeptCall ? note : undefined
    if (decorator !== undefined) {
      if (this.#plan.direction === 'outbound' && decorator.propagate) head.set(DECORATOR, decorator.operation)
      if (call !== undefined && call.operation === '') call.operation = decorator.operation
    }
    if (call === undefined || !this.#plan.spawnsUpstreamSpan) return
    call.upstreamSpanId = newSpanId(this.#context.stream.random)
    const { traceId, spanId, isDebug } = call
    const child = { traceId, spanId: call.upstreamSpanId, parentId: spanId, isSampled: true, isDebug }
    // onRequest() has written every form that this request has.
    writeContext(head, child, this.#forms | formsIn(head), true)
  }

  /** The proxy of the called workload may know better what it did. */
  onResponse(record: CallRecord, fields: HeaderBlock): void {
    if (this.#plan.direction !== 'outbound' || !fields.has(DECORATOR)) return
    const operation = takeOperation(fields)
    const note = record.trace
    if (operation !== '' && note instanceof KeptCall) note.operation = operation
  }

  onEnd(record: CallRecord): void {
    const call = record.trace
    // Without a note it was refused before anybody was told.
    if (call !== undefined && this.#plan.direction === 'inbound') this.#chains.onInbound(-1)
    if (!(call instanceof KeptCall)) return
    const plan = this.#plan
    const isError = isErroneous(record)
    const { traceId, isDebug } = call
    this.#sink.add({
      traceId,
      spanId: call.spanId,
      parentId: call.parentId,
      name: call.operation || this.#defaultName(record),
      kind: this.#kind,
      startMs: record.startWallMs,
      durationMs: record.durationMs,
      tags: downstreamTags(record, plan, this.#context.node),
      moments: plan.isVerbose ? momentsOf(record) : [],
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
      tags: upstreamTags(record, plan),
      moments: [],
      isError,
      isShared: false,
      isDebug,
    })
  }

  /** Those of Envoy's tracers, where no route and no header names the operation. */
  #defaultName({ head }: CallRecord): string {
    if (this.#plan.provider.kind === 'zipkin') return head.authority
    return this.#plan.direction === 'inbound' ? 'ingress' : `egress ${head.authority}`
  }
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
