import { StatGroup } from '../../lib/metrics/stat-group.ts'
import { type Metric, type MetricLabels, type MetricStore, NO_LABELS } from '../../lib/metrics/store.ts'
import type { Decision } from '../decide/decision.ts'
import { Http2Stats } from '../http2/stats.ts'

/** Envoy's counters, gauges and histograms of one connection manager. */
export class ManagerStats extends StatGroup {
  readonly downstream_cx_total = this.counter('downstream_cx_total')
  readonly downstream_cx_http2_total = this.counter('downstream_cx_http2_total')
  readonly downstream_cx_protocol_error = this.counter('downstream_cx_protocol_error')
  readonly downstream_cx_idle_timeout = this.counter('downstream_cx_idle_timeout')
  readonly downstream_rq_total = this.counter('downstream_rq_total')
  readonly downstream_rq_completed = this.counter('downstream_rq_completed')
  readonly downstream_rq_rx_reset = this.counter('downstream_rq_rx_reset')
  readonly downstream_rq_header_timeout = this.counter('downstream_rq_header_timeout')
  readonly downstream_rq_idle_timeout = this.counter('downstream_rq_idle_timeout')
  readonly downstream_rq_max_duration_reached = this.counter('downstream_rq_max_duration_reached')
  readonly downstream_rq_overload_close = this.counter('downstream_rq_overload_close')
  readonly downstream_rq_1xx = this.counter('downstream_rq_1xx')
  readonly downstream_rq_2xx = this.counter('downstream_rq_2xx')
  readonly downstream_rq_3xx = this.counter('downstream_rq_3xx')
  readonly downstream_rq_4xx = this.counter('downstream_rq_4xx')
  readonly downstream_rq_5xx = this.counter('downstream_rq_5xx')
  readonly rq_total = this.counter('rq_total')
  readonly no_route = this.counter('no_route')
  readonly no_cluster = this.counter('no_cluster')
  readonly rq_direct_response = this.counter('rq_direct_response')
  readonly downstream_cx_active = this.gauge('downstream_cx_active')
  readonly downstream_rq_active = this.gauge('downstream_rq_active')
  readonly downstream_cx_upgrades_active = this.gauge('downstream_cx_upgrades_active')
  /** From the head of a request to the end of its answer. */
  readonly downstream_rq_time = this.durations('downstream_rq_time')
  readonly downstream_cx_length_ms = this.durations('downstream_cx_length_ms')
  /** As in Envoy, those of all connection managers together. */
  readonly http2: Http2Stats
  readonly #ofFilters = new Map<string, Metric>()

  constructor(store: MetricStore, statPrefix: string) {
    super(store, 'http.', { http_conn_manager_prefix: statPrefix })
    this.http2 = new Http2Stats(store, 'http2.', NO_LABELS)
  }

  /** Counts an answer, by the hundreds of its status. */
  countResponse(code: number): void {
    this.downstream_rq_completed.inc()
    if (code < 200) this.downstream_rq_1xx.inc()
    else if (code < 300) this.downstream_rq_2xx.inc()
    else if (code < 400) this.downstream_rq_3xx.inc()
    else if (code < 500) this.downstream_rq_4xx.inc()
    else this.downstream_rq_5xx.inc()
  }

  /**
   * A counter of a filter, such as `jwt_authn.denied`. One that begins with a dot is not below the connection manager, and
   * `@cluster name` is that cluster's.
   */
  named(name: string): Metric {
    let metric = this.#ofFilters.get(name)
    if (metric === undefined) {
      metric = counterOf(this.store, name, this.labels)
      this.#ofFilters.set(name, metric)
    }
    return metric
  }

  /** A gauge of a filter. */
  namedGauge(name: string): Metric {
    return this.gauge(name)
  }
}

function counterOf(store: MetricStore, name: string, ofManager: MetricLabels): Metric {
  if (name.startsWith('.')) return store.counter(name.slice(1))
  if (!name.startsWith('@')) return store.counter(`http.${name}`, ofManager)
  const space = name.lastIndexOf(' ')
  return store.counter(`cluster.${name.slice(space + 1)}`, { cluster_name: name.slice(1, space) })
}

/** Counts what becomes of a request that has come as far as the router, as Envoy's router does: a redirect is a direct response. */
export function countRouted(stats: ManagerStats, { outcome, flag }: Pick<Decision, 'outcome' | 'flag'>): void {
  if (outcome === 'local_reply' && flag !== 'NR' && flag !== 'NC') return
  stats.rq_total.inc()
  if (outcome === 'redirect' || outcome === 'direct_response') stats.rq_direct_response.inc()
  else if (flag === 'NR') stats.no_route.inc()
  else if (flag === 'NC') stats.no_cluster.inc()
}
