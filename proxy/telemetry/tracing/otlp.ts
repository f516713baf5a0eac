import { create, toBinary } from '@bufbuild/protobuf'
import { ExportTraceServiceRequestSchema } from '../../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js'
import { AnyValueSchema, KeyValueSchema } from '../../../api/gen/opentelemetry/proto/common/v1/common_pb.js'
import { ResourceSchema } from '../../../api/gen/opentelemetry/proto/resource/v1/resource_pb.js'
import {
  ResourceSpansSchema,
  ScopeSpansSchema,
  Span_EventSchema,
  Span_SpanKind,
  type Span as SpanProto,
  SpanSchema,
  Status_StatusCode,
  StatusSchema,
} from '../../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import type { NodeFacts } from '../../node-facts.ts'
import { GRPC_FIELDS, grpcFrame, grpcStatusText } from '../../stream/grpc-message.ts'
import type { SideResult } from '../../stream/side-call.ts'
import type { OpenTelemetryPlan } from './plan.ts'
import type { Span } from './span.ts'
import type { SpanExport } from './span-queue.ts'
import { httpVerdict, utf8 } from './zipkin.ts'

const MAX_ANSWER_BYTES = 64 * 1024
const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

/** OTLP, by gRPC or by HTTP with the same messages (opentelemetry.io/docs/specs/otlp). */
export function otlpExport(plan: OpenTelemetryPlan, node: NodeFacts): SpanExport {
  const { cluster, authority, timeoutMs } = plan
  const common = { cluster, method: 'POST', authority, timeoutMs, maxResponseBytes: MAX_ANSWER_BYTES }
  const resource = create(ResourceSchema, { attributes: resourceOf(plan, node) })
  const messageOf = (spans: readonly Span[]) =>
    toBinary(
      ExportTraceServiceRequestSchema,
      create(ExportTraceServiceRequestSchema, {
        resourceSpans: [
          create(ResourceSpansSchema, {
            resource,
            scopeSpans: [create(ScopeSpansSchema, { spans: spans.map(spanMessage) })],
          }),
        ],
      }),
    )
  if (plan.transport === 'http') {
    const headers = [['content-type', 'application/x-protobuf'] as const, ...plan.headers]
    return {
      name: 'opentelemetry',
      requestOf: (spans) => ({ ...common, path: plan.path, headers, body: Buffer.from(messageOf(spans)) }),
      verdictOf: httpVerdict,
    }
  }
  const headers = [...GRPC_FIELDS, ...plan.headers]
  return {
    name: 'opentelemetry',
    requestOf: (spans) => ({ ...common, path: GRPC_PATH, headers, body: grpcFrame(messageOf(spans)) }),
    verdictOf: grpcVerdict,
  }
}

/** A service that the configuration does not name is called as the proxy's own. */
function resourceOf({ resource }: OpenTelemetryPlan, node: NodeFacts) {
  const isNamed = resource.some(([name]) => name === 'service.name')
  const own = isNamed ? [] : [['service.name', node.cluster || 'unknown_service:lateen'] as const]
  return [...own, ...resource].map(([key, value]) => attribute(key, value))
}

/** The statuses that OTLP calls retryable: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS. */
const RETRYABLE = new Set(['1', '4', '8', '10', '11', '14', '15'])

function grpcVerdict(result: SideResult): 'taken' | 'refused' | 'busy' {
  if (result.kind === 'failed' || result.status !== 200) return httpVerdict(result)
  const status = grpcStatusText(result)
  if (status === '0') return 'taken'
  return status === undefined || RETRYABLE.has(status) ? 'busy' : 'refused'
}

function spanMessage(span: Span): SpanProto {
  const endMs = span.startMs + span.durationMs
  return create(SpanSchema, {
    traceId: Buffer.from(span.traceId.padStart(32, '0'), 'hex'),
    spanId: Buffer.from(span.spanId, 'hex'),
    parentSpanId: Buffer.from(span.parentId, 'hex'),
    name: utf8(span.name),
    kind: span.kind === 'server' ? Span_SpanKind.SERVER : Span_SpanKind.CLIENT,
    startTimeUnixNano: nanoseconds(span.startMs),
    endTimeUnixNano: nanoseconds(endMs),
    attributes: span.tags.map(([key, value]) => attribute(key, utf8(value))),
    events: span.moments.map(({ atMs, name }) => create(Span_EventSchema, { timeUnixNano: nanoseconds(atMs), name })),
    ...(span.isError ? { status: create(StatusSchema, { code: Status_StatusCode.ERROR }) } : {}),
  })
}

/** As fine as the clock is: microseconds. */
function nanoseconds(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n
}

function attribute(key: string, value: string) {
  const anyValue = create(AnyValueSchema, { value: { case: 'stringValue', value } })
  return create(KeyValueSchema, { key, value: anyValue })
}
