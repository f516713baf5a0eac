import { createHash } from 'node:crypto'
import type { Resource } from '@opentelemetry/resources'
import type { Value } from '../../attributes/value.ts'
import type { Instance } from '../adapter.ts'
import { valuesOf, valueText } from '../value-text.ts'
import type { ReadableSpan } from './exporter.ts'

const TRACE_ID = /^[0-9a-f]{16}(?:[0-9a-f]{16})?$/i
const SPAN_ID = /^[0-9a-f]{16}$/i
const ALL_ZERO = /^0+$/
const SAMPLED = 1
/** SpanKind of OpenTelemetry's API. */
const KINDS: Readonly<Record<string, number>> = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 }
const STATUSES: Readonly<Record<string, number>> = { unset: 0, ok: 1, error: 2 }
/** Fields of the template that are tags elsewhere. */
const TAGS = {
  httpStatusCode: 'http.response.status_code',
  apiProtocol: 'api.protocol',
  sourceName: 'source.name',
  sourceIp: 'source.ip',
  destinationName: 'destination.name',
  destinationIp: 'destination.ip',
  requestSize: 'http.request.body.size',
  requestTotalSize: 'http.request.size',
  responseSize: 'http.response.body.size',
  responseTotalSize: 'http.response.size',
}
const SCOPE = { name: 'lateen-mixer' }

/** Of one exporter: a resource for each service. */
export type ResourceOf = (service: string) => Resource

/** An instance of template tracespan as exporters take it; undefined for one without ids or without a start. */
export function readableSpan({ values }: Instance, resourceOf: ResourceOf): ReadableSpan | undefined {
  const text = (field: string) => valueText(values[field])
  const [traceId, spanId, startMs] = [text('traceId').toLowerCase(), text('spanId').toLowerCase(), values.startTime]
  if (!TRACE_ID.test(traceId) || ALL_ZERO.test(traceId) || !SPAN_ID.test(spanId) || ALL_ZERO.test(spanId))
    return undefined
  if (typeof startMs !== 'number') return undefined
  const endMs = Math.max(startMs, typeof values.endTime === 'number' ? values.endTime : startMs)
  const kind = kindOf(values.spanKind, values.clientSpan)
  const parent = text('parentSpanId').toLowerCase()
  const ids = rewritten(spanId, SPAN_ID.test(parent) ? parent : '', kind, values.rewriteClientSpanId === true)
  const context = (id: string) => ({ traceId: traceId.padStart(32, '0'), spanId: id, traceFlags: SAMPLED })
  const own = context(ids.spanId)
  const names = [text('sourceName'), text('destinationName')]
  const service = (kind === KINDS.server || kind === KINDS.consumer ? names.reverse() : names).find((one) => one !== '')
  return {
    name: text('spanName'),
    kind,
    spanContext: () => own,
    ...(ids.parentId !== '' && { parentSpanContext: context(ids.parentId) }),
    startTime: hrTime(startMs),
    endTime: hrTime(endMs),
    duration: hrTime(endMs - startMs),
    status: { code: statusOf(values.spanStatus, values.httpStatusCode) },
    attributes: tagsOf(values, valuesOf({ values } as Instance, 'spanTags')),
    links: [],
    events: [],
    ended: true,
    resource: resourceOf(service ?? 'unknown'),
    instrumentationScope: SCOPE,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

function kindOf(kind: unknown, isClient: unknown): number {
  const named = typeof kind === 'string' && Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined
  if (named !== undefined) return named
  return (isClient === undefined ? KINDS.internal : isClient === true ? KINDS.client : KINDS.server) as number
}

/** Of an error of the server's; what clients do wrong is none of the span's. */
function statusOf(status: unknown, code: unknown): number {
  const named = typeof status === 'string' && Object.hasOwn(STATUSES, status) ? STATUSES[status] : undefined
  return named ?? ((typeof code === 'number' && code >= 500 ? STATUSES.error : STATUSES.unset) as number)
}

/**
 * Where both sides of a call tell of it under one id (B3), the caller's span gets another one, made of it, which becomes the parent of
 * the called's.
 */
function rewritten(
  spanId: string,
  parentId: string,
  kind: number,
  wanted: boolean,
): { spanId: string; parentId: string } {
  if (!wanted) return { spanId, parentId }
  const made = createHash('sha256').update(spanId).digest('hex').slice(0, 16)
  return kind === KINDS.client ? { spanId: made, parentId } : { spanId, parentId: made }
}

function tagsOf(
  values: Instance['values'],
  written: Readonly<Record<string, Value>>,
): Record<string, string | number | boolean> {
  const tags: Record<string, string | number | boolean> = {}
  for (const [field, name] of Object.entries(TAGS)) {
    const value = values[field]
    if (value !== undefined && value !== '' && typeof value !== 'object') tags[name] = value
  }
  for (const [name, value] of Object.entries(written)) tags[name] = typeof value === 'object' ? valueText(value) : value
  return tags
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1000)
  const nanos = Math.round((ms - seconds * 1000) * 1e6)
  return nanos === 1e9 ? [seconds + 1, 0] : [seconds, nanos]
}

/** Whether the trace is among so many of one: the same for all of its spans, wherever they are told (by the id's last half). */
export function isSampled(traceId: string, probability: number): boolean {
  if (probability >= 1) return true
  return Number.parseInt(traceId.slice(-13), 16) / 2 ** 52 < probability
}
