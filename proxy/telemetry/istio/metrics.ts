import { ENVOY_BUCKETS } from '../../../lib/metrics/durations.ts'
import type { StatsPlan } from './config.ts'

/** Istio's metrics, by the names that configuration has for them (package stats of github.com/istio/proxy). */
export const HTTP_METRICS = {
  requests_total: 'istio_requests_total',
  request_duration_milliseconds: 'istio_request_duration_milliseconds',
  request_bytes: 'istio_request_bytes',
  response_bytes: 'istio_response_bytes',
} as const
export const GRPC_METRICS = {
  request_messages_total: 'istio_request_messages_total',
  response_messages_total: 'istio_response_messages_total',
} as const
export const TCP_METRICS = {
  tcp_connections_opened_total: 'istio_tcp_connections_opened_total',
  tcp_connections_closed_total: 'istio_tcp_connections_closed_total',
  tcp_sent_bytes_total: 'istio_tcp_sent_bytes_total',
  tcp_received_bytes_total: 'istio_tcp_received_bytes_total',
} as const

export type MetricName = keyof typeof HTTP_METRICS | keyof typeof GRPC_METRICS | keyof typeof TCP_METRICS

export const METRIC_NAMES: ReadonlySet<string> = new Set(
  Object.keys({ ...HTTP_METRICS, ...GRPC_METRICS, ...TCP_METRICS }),
)

/** Of Envoy, which Istio has for bytes too. */
export const BUCKETS = ENVOY_BUCKETS

/** Whether the configuration leaves a metric out. */
export function isDropped(plan: StatsPlan, name: MetricName): boolean {
  return plan.changes.get(name)?.isDropped ?? false
}
