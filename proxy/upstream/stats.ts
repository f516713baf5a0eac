import { StatGroup } from '../../lib/metrics/stat-group.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import { Http2Stats } from '../http2/stats.ts'

/** Envoy's cluster counters, gauges and histograms that Lateen keeps. */
export class ClusterStats extends StatGroup {
  readonly upstream_cx_total = this.counter('upstream_cx_total')
  readonly upstream_cx_connect_fail = this.counter('upstream_cx_connect_fail')
  readonly upstream_cx_connect_timeout = this.counter('upstream_cx_connect_timeout')
  readonly upstream_cx_overflow = this.counter('upstream_cx_overflow')
  readonly upstream_cx_protocol_error = this.counter('upstream_cx_protocol_error')
  readonly upstream_cx_max_requests = this.counter('upstream_cx_max_requests')
  readonly upstream_cx_none_healthy = this.counter('upstream_cx_none_healthy')
  readonly upstream_rq_total = this.counter('upstream_rq_total')
  readonly upstream_rq_completed = this.counter('upstream_rq_completed')
  readonly upstream_rq_pending_overflow = this.counter('upstream_rq_pending_overflow')
  readonly upstream_rq_pending_total = this.counter('upstream_rq_pending_total')
  readonly upstream_rq_timeout = this.counter('upstream_rq_timeout')
  readonly upstream_rq_per_try_timeout = this.counter('upstream_rq_per_try_timeout')
  readonly upstream_rq_per_try_idle_timeout = this.counter('upstream_rq_per_try_idle_timeout')
  readonly upstream_rq_rx_reset = this.counter('upstream_rq_rx_reset')
  readonly upstream_rq_retry = this.counter('upstream_rq_retry')
  readonly upstream_rq_retry_success = this.counter('upstream_rq_retry_success')
  readonly upstream_rq_retry_overflow = this.counter('upstream_rq_retry_overflow')
  readonly upstream_rq_retry_limit_exceeded = this.counter('upstream_rq_retry_limit_exceeded')
  readonly upstream_rq_retry_backoff_exponential = this.counter('upstream_rq_retry_backoff_exponential')
  readonly upstream_rq_retry_backoff_ratelimited = this.counter('upstream_rq_retry_backoff_ratelimited')
  readonly upstream_rq_cancelled = this.counter('upstream_rq_cancelled')
  readonly retry_or_shadow_abandoned = this.counter('retry_or_shadow_abandoned')
  readonly upstream_rq_1xx = this.counter('upstream_rq_1xx')
  readonly upstream_rq_2xx = this.counter('upstream_rq_2xx')
  readonly upstream_rq_3xx = this.counter('upstream_rq_3xx')
  readonly upstream_rq_4xx = this.counter('upstream_rq_4xx')
  readonly upstream_rq_5xx = this.counter('upstream_rq_5xx')
  readonly membership_change = this.counter('membership_change')
  readonly lb_healthy_panic = this.counter('lb_healthy_panic')
  readonly lb_subsets_created = this.counter('lb_subsets_created')
  readonly lb_subsets_removed = this.counter('lb_subsets_removed')
  readonly lb_subsets_selected = this.counter('lb_subsets_selected')
  readonly lb_subsets_fallback = this.counter('lb_subsets_fallback')
  readonly lb_subsets_fallback_panic = this.counter('lb_subsets_fallback_panic')
  readonly upstream_cx_active = this.gauge('upstream_cx_active')
  readonly upstream_rq_active = this.gauge('upstream_rq_active')
  readonly upstream_rq_pending_active = this.gauge('upstream_rq_pending_active')
  readonly upstream_rq_retry_active = this.gauge('upstream_rq_retry_active')
  readonly membership_total = this.sameGauge('membership_total')
  readonly membership_healthy = this.sameGauge('membership_healthy')
  readonly membership_degraded = this.sameGauge('membership_degraded')
  readonly lb_subsets_active = this.sameGauge('lb_subsets_active')
  readonly upstream_rq_time = this.durations('upstream_rq_time')
  readonly upstream_cx_connect_ms = this.durations('upstream_cx_connect_ms')
  readonly upstream_cx_length_ms = this.durations('upstream_cx_length_ms')
  readonly http2: Http2Stats

  constructor(store: MetricStore, cluster: string) {
    const labels = { cluster_name: cluster }
    super(store, 'cluster.', labels)
    this.http2 = new Http2Stats(store, 'cluster.http2.', labels)
  }
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
