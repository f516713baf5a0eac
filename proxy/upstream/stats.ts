import { type Durations, durations } from '../../lib/metrics/durations.ts'
import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import { type Http2Stats, http2Stats } from '../http2/stats.ts'

/** Envoy's cluster counters and gauges that Lateen keeps, without their `cluster.<name>.` prefix. */
const COUNTERS = [
  'upstream_cx_total',
  'upstream_cx_connect_fail',
  'upstream_cx_connect_timeout',
  'upstream_cx_overflow',
  'upstream_cx_protocol_error',
  'upstream_cx_max_requests',
  'upstream_cx_none_healthy',
  'upstream_rq_total',
  'upstream_rq_completed',
  'upstream_rq_pending_overflow',
  'upstream_rq_pending_total',
  'upstream_rq_timeout',
  'upstream_rq_per_try_timeout',
  'upstream_rq_per_try_idle_timeout',
  'upstream_rq_rx_reset',
  'upstream_rq_retry',
  'upstream_rq_retry_success',
  'upstream_rq_retry_overflow',
  'upstream_rq_retry_limit_exceeded',
  'upstream_rq_retry_backoff_exponential',
  'upstream_rq_retry_backoff_ratelimited',
  'upstream_rq_cancelled',
  'retry_or_shadow_abandoned',
  'upstream_rq_1xx',
  'upstream_rq_2xx',
  'upstream_rq_3xx',
  'upstream_rq_4xx',
  'upstream_rq_5xx',
  'membership_change',
  'lb_healthy_panic',
  'lb_subsets_created',
  'lb_subsets_removed',
  'lb_subsets_selected',
  'lb_subsets_fallback',
  'lb_subsets_fallback_panic',
] as const
const GAUGES = [
  'upstream_cx_active',
  'upstream_rq_active',
  'upstream_rq_pending_active',
  'upstream_rq_retry_active',
] as const
/** Gauges that every thread sets alike. */
const SAME = ['membership_total', 'membership_healthy', 'membership_degraded', 'lb_subsets_active'] as const
/** Histograms of milliseconds. */
const TIMES = ['upstream_rq_time', 'upstream_cx_connect_ms', 'upstream_cx_length_ms'] as const

export type ClusterStats = Record<(typeof COUNTERS)[number] | (typeof GAUGES)[number] | (typeof SAME)[number], Metric> &
  Record<(typeof TIMES)[number], Durations> & {
    readonly http2: Http2Stats
  }

export function clusterStats(store: MetricStore, cluster: string): ClusterStats {
  const labels = { cluster_name: cluster }
  const metrics = Object.fromEntries([
    ...COUNTERS.map((name) => [name, store.counter(`cluster.${name}`, labels)]),
    ...GAUGES.map((name) => [name, store.gauge(`cluster.${name}`, labels)]),
    ...SAME.map((name) => [name, store.gauge(`cluster.${name}`, labels, 'same')]),
    ...TIMES.map((name) => [name, durations(store, `cluster.${name}`, labels)]),
  ]) as ClusterStats
  return Object.assign(metrics, { http2: http2Stats(store, 'cluster.', labels) })
}

/** Counts an answer by the hundreds of its status: one of a host, or of our own in the place of one that does not come. */
export function countUpstreamStatus(stats: ClusterStats, status: number): void {
  stats.upstream_rq_completed.inc()
  if (status < 200) stats.upstream_rq_1xx.inc()
  else if (status < 300) stats.upstream_rq_2xx.inc()
  else if (status < 400) stats.upstream_rq_3xx.inc()
  else if (status < 500) stats.upstream_rq_4xx.inc()
  else stats.upstream_rq_5xx.inc()
}
