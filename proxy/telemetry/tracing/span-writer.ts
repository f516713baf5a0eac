import { WireWriter } from '../wire/wire-writer.ts'
import { hexValue } from './hex.ts'
import type { Span } from './span.ts'
import { utf8 } from './zipkin.ts'

/** Fields of opentelemetry.proto.trace.v1, from ExportTraceServiceRequest down. */
const FIELD = { resourceSpans: 1, scopeSpans: 2, spans: 2 } as const
const SPAN = {
  traceId: 1,
  spanId: 2,
  parentSpanId: 4,
  name: 5,
  kind: 6,
  startTime: 7,
  endTime: 8,
  attributes: 9,
  events: 11,
  status: 15,
} as const
const EVENT = { time: 1, name: 2 } as const
const KIND = { server: 2, client: 3 } as const
const STATUS_CODE = 3
const STATUS_ERROR = 2
const ATTRIBUTE = { key: 1, value: 2 } as const
const STRING_VALUE = 1
/** Of one span; a writer that has too little grows. */
const SPAN_BYTES = 1024

const traceId = new Uint8Array(16)
const spanId = new Uint8Array(8)

/** An ExportTraceServiceRequest of these spans. `resource`: the fields of ResourceSpans that go before them. */
export function writeSpans(resource: Uint8Array, spans: readonly Span[]): Buffer {
  const out = new WireWriter(resource.length + SPAN_BYTES * (spans.length + 1))
  const resourceSpans = out.begin(FIELD.resourceSpans)
  out.raw(resource)
  const scopeSpans = out.begin(FIELD.scopeSpans)
  for (let i = 0; i < spans.length; i++) writeSpan(out, spans[i] as Span)
  out.end(scopeSpans)
  out.end(resourceSpans)
  return out.copy()
}

function writeSpan(out: WireWriter, span: Span): void {
  const start = out.begin(FIELD.spans)
  out.bytes(SPAN.traceId, bytesOf(span.traceId, traceId))
  out.bytes(SPAN.spanId, bytesOf(span.spanId, spanId))
  if (span.parentId !== '') out.bytes(SPAN.parentSpanId, bytesOf(span.parentId, spanId))
  writeBytes(out, SPAN.name, span.name)
  out.number(SPAN.kind, KIND[span.kind])
  out.nanoseconds(SPAN.startTime, span.startMs)
  out.nanoseconds(SPAN.endTime, span.startMs + span.durationMs)
  const { tags, moments } = span
  for (let i = 0; i < tags.length; i += 2) writeAttribute(out, tags[i] as string, tags[i + 1] as string)
  for (let i = 0; i < moments.length; i++) {
    const { atMs, name } = moments[i] as Span['moments'][number]
    const event = out.begin(SPAN.events)
    out.nanoseconds(EVENT.time, atMs)
    out.text(EVENT.name, name)
    out.end(event)
  }
  if (span.isError) {
    const status = out.begin(SPAN.status)
    out.number(STATUS_CODE, STATUS_ERROR)
    out.end(status)
  }
  out.end(start)
}

function writeAttribute(out: WireWriter, key: string, value: string): void {
  const pair = out.begin(SPAN.attributes)
  out.raw(keyPart(key))
  const any = out.begin(ATTRIBUTE.value)
  writeBytes(out, STRING_VALUE, value)
  out.end(any)
  out.end(pair)
}

/** Text that came as bytes. An empty one is written too: a value of no text is none. */
function writeBytes(out: WireWriter, field: number, bytes: string): void {
  const text = utf8(bytes)
  // What has none beyond ASCII is the same text.
  if (text === bytes && text !== '') out.text(field, text)
  else out.bytes(field, Buffer.from(text, 'utf8'))
}

/** Keys of attributes, as parts of one: most spans have the same. */
const keyParts = new Map<string, Uint8Array>()
const MAX_KEY_PARTS = 256

function keyPart(key: string): Uint8Array {
  const kept = keyParts.get(key)
  if (kept !== undefined) return kept
  const bytes = Buffer.from(key, 'utf8')
  const out = new WireWriter(bytes.length)
  if (key !== '') out.bytes(ATTRIBUTE.key, bytes)
  const part = out.copy()
  if (keyParts.size === MAX_KEY_PARTS) keyParts.clear()
  keyParts.set(key, part)
  return part
}

/** The bytes of an identifier; a shorter one has zeros before it. */
function bytesOf(digits: string, into: Uint8Array): Uint8Array {
  const missing = 2 * into.length - digits.length
  for (let i = 0; i < into.length; i++) {
    const at = 2 * i - missing
    into[i] = at < 0 ? 0 : (hexValue(digits.charCodeAt(at)) << 4) | hexValue(digits.charCodeAt(at + 1))
  }
  return into
}
