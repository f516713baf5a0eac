import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ExportTraceServiceRequestSchema } from '../../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js'
import {
  ResourceSpansSchema,
  Span_SpanKind,
  Status_StatusCode,
} from '../../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import type { Span } from './span.ts'
import { writeSpans } from './span-writer.ts'

const attribute = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue' as const, value } } })
const RESOURCE = { attributes: [attribute('service.name', 'sh\u00f6p')] }
const resource = toBinary(ResourceSpansSchema, create(ResourceSpansSchema, { resource: RESOURCE }))

/** Bytes as a head has them, some of them of UTF-8. */
const text = fc.oneof(
  fc.string({ maxLength: 300 }),
  fc.string({ unit: 'binary', maxLength: 60 }).map((unicode) => Buffer.from(unicode, 'utf8').toString('latin1')),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
)
const meant = (bytes: string) => Buffer.from(bytes, 'latin1').toString('utf8')
const digits = (length: number) =>
  fc.array(fc.constantFrom(...'0123456789abcdef'), { minLength: length, maxLength: length }).map((all) => all.join(''))
const microseconds = fc.integer({ min: 0, max: 4_000_000_000_000_000 })

const spans: fc.Arbitrary<Span> = fc.record({
  traceId: fc.oneof(digits(32), digits(16)),
  spanId: digits(16),
  parentId: fc.oneof(digits(16), fc.constant('')),
  name: text,
  kind: fc.constantFrom('server' as const, 'client' as const),
  startMs: microseconds.map((micros) => micros / 1000),
  durationMs: fc.integer({ min: 0, max: 100_000_000 }).map((micros) => micros / 1000),
  tags: fc
    .array(fc.tuple(fc.string({ unit: 'grapheme', maxLength: 60 }), text), { maxLength: 30 })
    .map((all) => all.flat()),
  moments: fc.array(fc.record({ atMs: microseconds.map((micros) => micros / 1000), name: fc.constantFrom('a', 'b') })),
  isError: fc.boolean(),
  isShared: fc.boolean(),
  isDebug: fc.boolean(),
})

function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n
}

function messageOf(span: Span) {
  const pairs = span.tags.flatMap((key, i) => (i % 2 === 0 ? [attribute(key, meant(span.tags[i + 1] as string))] : []))
  return {
    traceId: new Uint8Array(Buffer.from(span.traceId.padStart(32, '0'), 'hex')),
    spanId: new Uint8Array(Buffer.from(span.spanId, 'hex')),
    parentSpanId: new Uint8Array(Buffer.from(span.parentId, 'hex')),
    name: meant(span.name),
    kind: span.kind === 'server' ? Span_SpanKind.SERVER : Span_SpanKind.CLIENT,
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(span.startMs + span.durationMs),
    attributes: pairs,
    events: span.moments.map(({ atMs, name }) => ({ timeUnixNano: nanoseconds(atMs), name })),
    ...(span.isError ? { status: { code: Status_StatusCode.ERROR } } : {}),
  }
}

test('what is written of spans is what protobuf reads', () => {
  fc.assert(
    fc.property(fc.array(spans, { maxLength: 4 }), (some) => {
      const expected = create(ExportTraceServiceRequestSchema, {
        resourceSpans: [{ resource: RESOURCE, scopeSpans: [{ spans: some.map(messageOf) }] }],
      })
      expect(fromBinary(ExportTraceServiceRequestSchema, writeSpans(resource, some))).toEqual(expected)
    }),
  )
})
