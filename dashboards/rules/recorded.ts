/**
 * Names of recorded series: level of aggregation, metric, operations. None has a label of a pod, so that their number
 * grows with workloads and services only.
 */
export const RECORDED = {
  meshRequests: 'mesh:istio_requests:rate5m',
  meshSuccess: 'mesh:istio_requests_success:ratio_rate5m',
  workloadRequests: 'workload:istio_requests:rate5m',
  workloadSuccess: 'workload:istio_requests_success:ratio_rate5m',
  workloadDuration: 'workload:istio_request_duration_milliseconds_bucket:rate5m',
  workloadTcpSent: 'workload:istio_tcp_sent_bytes:rate5m',
  workloadTcpReceived: 'workload:istio_tcp_received_bytes:rate5m',
  serviceRequests: 'service:istio_requests:rate5m',
  serviceSuccess: 'service:istio_requests_success:ratio_rate5m',
  serviceUnroutable: 'service:istio_requests_unroutable:ratio_rate5m',
  serviceDuration: 'service:istio_request_duration_milliseconds_bucket:rate5m',
} as const

export type RecordedName = (typeof RECORDED)[keyof typeof RECORDED]

/** The quantile `q` of a recorded histogram; `by` without `le`. */
export function recordedQuantile(q: number, by: string, name: RecordedName, matchers: string): string {
  return `histogram_quantile(${q}, sum by (${by}, le) (${name}${matchers}))`
}
