import { type Matchers, partBy, rateBy, SUCCEEDED, UNROUTABLE } from '../model/promql.ts'
import { RECORDED, type RecordedName } from './recorded.ts'

export interface RecordingRule {
  readonly record: RecordedName
  readonly expr: string
  /** Labels that the recorded series have. */
  readonly labels: readonly string[]
}

const WINDOW = '5m'
/** How a request ended: few values each, and what codes and policies are asked by. */
const OUTCOME = ['response_code', 'grpc_response_status', 'connection_security_policy']
const WORKLOAD = ['reporter', 'destination_workload', 'destination_workload_namespace']
const SERVICE = ['reporter', 'destination_service', 'destination_service_namespace']
const DURATION = 'istio_request_duration_milliseconds_bucket'

function rateRule(
  record: RecordedName,
  name: string,
  labels: readonly string[],
  matchers: Matchers = [],
): RecordingRule {
  return { record, labels, expr: rateBy(labels, name, matchers, WINDOW) }
}

function partRule(
  record: RecordedName,
  labels: readonly string[],
  such: Matchers,
  matchers: Matchers = [],
): RecordingRule {
  return { record, labels, expr: partBy(labels, matchers, such, WINDOW) }
}

/** In the order in which they are evaluated. */
export const RECORDING_RULES: readonly RecordingRule[] = [
  rateRule(RECORDED.meshRequests, 'istio_requests_total', ['reporter', 'response_code', 'grpc_response_status']),
  partRule(RECORDED.meshSuccess, [], SUCCEEDED, ['reporter="source"']),
  rateRule(RECORDED.workloadRequests, 'istio_requests_total', [
    ...WORKLOAD,
    'source_workload',
    'source_workload_namespace',
    'destination_version',
    'request_protocol',
    ...OUTCOME,
  ]),
  partRule(RECORDED.workloadSuccess, WORKLOAD, SUCCEEDED),
  rateRule(RECORDED.workloadDuration, DURATION, [...WORKLOAD, 'le']),
  rateRule(RECORDED.workloadTcpSent, 'istio_tcp_sent_bytes_total', WORKLOAD),
  rateRule(RECORDED.workloadTcpReceived, 'istio_tcp_received_bytes_total', WORKLOAD),
  rateRule(RECORDED.serviceRequests, 'istio_requests_total', [...SERVICE, ...OUTCOME]),
  partRule(RECORDED.serviceSuccess, SERVICE, SUCCEEDED),
  partRule(RECORDED.serviceUnroutable, SERVICE, UNROUTABLE),
  rateRule(RECORDED.serviceDuration, DURATION, [...SERVICE, 'le']),
]
