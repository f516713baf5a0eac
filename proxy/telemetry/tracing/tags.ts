import { addressWithPort } from '../../decide/fields.ts'
import { metadataAt } from '../../decide/metadata.ts'
import type { NodeFacts } from '../../node-facts.ts'
import type { CallRecord } from '../call-record.ts'
import { protocolOf } from '../cel/attributes.ts'
import { trailerField } from '../trailer-field.ts'
import type { CustomTagPlan, TracingPlan } from './plan.ts'
import type { SpanMoment } from './span.ts'

/** What the head of an answer says, where it is one of nothing but trailers. */
export interface GrpcAnswer {
  readonly grpcStatus: string | undefined
  readonly grpcMessage: string | undefined
}

/**
 * The tags of the span of a call as it came (Envoy's HttpTracerUtility::finalizeDownstreamSpan), and Envoy's order: names and
 * values in turn.
 */
export function downstreamTags(record: CallRecord, answer: GrpcAnswer, plan: TracingPlan, node: NodeFacts): string[] {
  const { head, facts } = record
  const tags = ['node_id', node.id]
  if (node.zone !== '') tags.push('zone', node.zone)
  addField(tags, 'guid:x-request-id', head.get('x-request-id'))
  const path = head.path.slice(0, plan.maxPathTagLength)
  tags.push('http.url', `${head.scheme}://${head.authority}${path}`, 'http.method', head.method)
  tags.push('downstream_cluster', textOf(head.get('x-envoy-downstream-service-cluster')))
  tags.push('user_agent', textOf(head.get('user-agent')))
  tags.push('http.protocol', protocolOf(record), 'peer.address', facts.directSourceAddress)
  addField(tags, 'guid:x-client-trace-id', head.get('x-client-trace-id'))
  if (isGrpc(record)) {
    tags.push('grpc.path', head.path, 'grpc.authority', head.authority)
    addField(tags, 'grpc.content_type', head.get('content-type'))
    addField(tags, 'grpc.timeout', head.get('grpc-timeout'))
  }
  tags.push('request_size', String(record.receivedBytes), 'response_size', String(record.sentBytes))
  addCommon(tags, record, answer, plan)
  return tags
}

/** The tags of the span of a call as it was sent on (finalizeUpstreamSpan). */
export function upstreamTags(record: CallRecord, answer: GrpcAnswer, plan: TracingPlan): string[] {
  const tags = ['http.protocol', protocolOf(record)]
  const endpoint = record.host?.plan
  if (endpoint !== undefined) {
    const address = endpoint.unixPath || addressWithPort(endpoint.address, endpoint.port)
    tags.push('upstream_address', address, 'peer.address', address)
  }
  addCommon(tags, record, answer, plan)
  return tags
}

function addCommon(tags: string[], record: CallRecord, answer: GrpcAnswer, plan: TracingPlan): void {
  tags.push('component', 'proxy')
  if (record.cluster !== undefined) {
    const { name } = record.cluster.plan
    tags.push('upstream_cluster', name, 'upstream_cluster.name', name)
  }
  tags.push('http.status_code', String(record.status))
  if (isGrpc(record)) {
    const status = grpcStatus(record, answer)
    if (status !== undefined) {
      tags.push('grpc.status_code', status)
      addField(tags, 'grpc.message', trailerField(record.trailers, 'grpc-message') ?? answer.grpcMessage)
    }
  }
  tags.push('response_flags', record.flags.join() || '-')
  if (isErroneous(record, answer)) tags.push('error', 'true')
  for (const custom of plan.customTags) {
    const value = customValue(custom, record)
    if (value !== '') tags.push(custom.tag, value)
  }
}

/** No answer, one of 500 and above, or a status of gRPC that speaks of a server's fault (Envoy's addGrpcResponseTags). */
export function isErroneous(record: CallRecord, answer: GrpcAnswer): boolean {
  if (record.status === 0 || record.status >= 500) return true
  if (!isGrpc(record)) return false
  return SERVER_FAULTS.has(grpcStatus(record, answer) ?? '')
}

/** UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS. */
const SERVER_FAULTS = new Set(['2', '4', '12', '13', '14', '15'])

/** Of the trailers, or of the answer that is nothing but trailers. */
function grpcStatus(record: CallRecord, answer: GrpcAnswer): string | undefined {
  return trailerField(record.trailers, 'grpc-status') ?? answer.grpcStatus
}

function isGrpc({ head }: CallRecord): boolean {
  return head.get('content-type')?.startsWith('application/grpc') === true
}

function customValue(custom: CustomTagPlan, record: CallRecord): string {
  switch (custom.kind) {
    case 'literal':
      return custom.value
    case 'header':
      return record.head.get(custom.header) ?? custom.fallback
    case 'metadata': {
      const found = metadataAt(record.decision, custom.key, custom.path)
      if (found === undefined || found === null) return custom.fallback
      return typeof found === 'string' ? found : JSON.stringify(found)
    }
  }
}

function addField(tags: string[], name: string, value: string | undefined): void {
  if (value !== undefined) tags.push(name, value)
}

function textOf(value: string | undefined): string {
  return value === undefined || value === '' ? '-' : value
}

/** What a verbose span tells of within the call; by the names of Envoy's annotations. */
export function momentsOf(record: CallRecord): SpanMoment[] {
  const named: readonly (readonly [string, number])[] = [
    ['last_downstream_rx_byte_received', record.requestEndMs],
    ['first_upstream_tx_byte_sent', record.upstreamStartMs],
    ['first_upstream_rx_byte_received', record.isUpstreamAnswer ? record.responseMs : 0],
    ['first_downstream_tx_byte_sent', record.responseMs],
    ['last_downstream_tx_byte_sent', record.endMs],
  ]
  const wallOf = (ms: number) => record.startWallMs + (ms - record.startMs)
  return named.filter(([, ms]) => ms > 0).map(([name, ms]) => ({ name, atMs: wallOf(ms) }))
}
