import { create, toBinary } from '@bufbuild/protobuf'
import { ResourceSpansSchema } from '../../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import type { NodeFacts } from '../../node-facts.ts'
import { GRPC_FIELDS, grpcFrame, grpcStatusText } from '../../stream/grpc-message.ts'
import type { SideResult } from '../../stream/side-call.ts'
import type { OpenTelemetryPlan } from './plan.ts'
import type { SpanExport } from './span-queue.ts'
import { writeSpans } from './span-writer.ts'
import { httpVerdict } from './zipkin.ts'

const MAX_ANSWER_BYTES = 64 * 1024
const GRPC_PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'

/** OTLP, by gRPC or by HTTP with the same messages (opentelemetry.io/docs/specs/otlp). */
export function otlpExport(plan: OpenTelemetryPlan, node: NodeFacts): SpanExport {
  const { cluster, authority, timeoutMs } = plan
  const common = { cluster, method: 'POST', authority, timeoutMs, maxResponseBytes: MAX_ANSWER_BYTES }
  const resource = resourceOf(plan, node)
  if (plan.transport === 'http') {
    const headers = [['content-type', 'application/x-protobuf'] as const, ...plan.headers]
    return {
      name: 'opentelemetry',
      requestOf: (spans) => ({ ...common, path: plan.path, headers, body: writeSpans(resource, spans) }),
      verdictOf: httpVerdict,
    }
  }
  const headers = [...GRPC_FIELDS, ...plan.headers]
  return {
    name: 'opentelemetry',
    requestOf: (spans) => ({ ...common, path: GRPC_PATH, headers, body: grpcFrame(writeSpans(resource, spans)) }),
    verdictOf: grpcVerdict,
  }
}

/** What all spans share, as the fields of ResourceSpans that go before them. A service without a name is called as the proxy's own. */
function resourceOf({ resource }: OpenTelemetryPlan, node: NodeFacts): Uint8Array {
  const isNamed = resource.some(([name]) => name === 'service.name')
  const own = isNamed ? [] : [['service.name', node.cluster || 'unknown_service:lateen'] as const]
  const attributes = [...own, ...resource].map(([key, value]) => ({
    key,
    value: { value: { case: 'stringValue' as const, value } },
  }))
  return toBinary(ResourceSpansSchema, create(ResourceSpansSchema, { resource: { attributes } }))
}

/** The statuses that OTLP calls retryable: CANCELLED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS. */
const RETRYABLE = new Set(['1', '4', '8', '10', '11', '14', '15'])

function grpcVerdict(result: SideResult): 'taken' | 'refused' | 'busy' {
  if (result.kind === 'failed' || result.status !== 200) return httpVerdict(result)
  const status = grpcStatusText(result)
  if (status === '0') return 'taken'
  return status === undefined || RETRYABLE.has(status) ? 'busy' : 'refused'
}
