import { type Durations, durations } from '../../lib/metrics/durations.ts'
import type { Metric, MetricLabels, MetricStore } from '../../lib/metrics/store.ts'
import type { Decision } from '../decide/decision.ts'
import { type Http2Stats, http2Stats } from '../http2/stats.ts'

/** Envoy's counters and gauges of one connection manager, without their `http.<prefix>.` prefix. */
const COUNTERS = [
  'downstream_cx_total',
  'downstream_cx_http2_total',
  'downstream_cx_protocol_error',
  'downstream_cx_idle_timeout',
  'downstream_rq_total',
  'downstream_rq_completed',
  'downstream_rq_rx_reset',
  'downstream_rq_header_timeout',
  'downstream_rq_idle_timeout',
  'downstream_rq_max_duration_reached',
  'downstream_rq_overload_close',
  'downstream_rq_1xx',
  'downstream_rq_2xx',
  'downstream_rq_3xx',
  'downstream_rq_4xx',
  'downstream_rq_5xx',
  'rq_total',
  'no_route',
  'no_cluster',
  'rq_direct_response',
] as const
const GAUGES = ['downstream_cx_active', 'downstream_rq_active', 'downstream_cx_upgrades_active'] as const

type Name = (typeof COUNTERS)[number] | (typeof GAUGES)[number]

export type ManagerStats = Record<Name, Metric> & {
  /** From the head of a request to the end of its answer. */
  readonly downstream_rq_time: Durations
  readonly downstream_cx_length_ms: Durations
  readonly http2: Http2Stats
  /** Counts an answer, by the hundreds of its status. */
  countResponse(code: number): void
  /**
   * A counter of a filter, such as `jwt_authn.denied`. One that begins with a dot is not below the connection manager, and
   * `@cluster name` is that cluster's.
   */
  named(name: string): Metric
  /** A gauge of a filter. */
  namedGauge(name: string): Metric
}

export function managerStats(store: MetricStore, statPrefix: string): ManagerStats {
  const labels = { http_conn_manager_prefix: statPrefix }
  const metrics = Object.fromEntries([
    ...COUNTERS.map((name) => [name, store.counter(`http.${name}`, labels)]),
    ...GAUGES.map((name) => [name, store.gauge(`http.${name}`, labels)]),
  ]) as Record<Name, Metric>
  const ofFilters = new Map<string, Metric>()
  return Object.assign(metrics, {
    named(name: string): Metric {
      let metric = ofFilters.get(name)
      if (metric === undefined) {
        metric = counterOf(store, name, labels)
        ofFilters.set(name, metric)
      }
      return metric
    },
    namedGauge: (name: string) => store.gauge(`http.${name}`, labels),
    // As in Envoy, those of all connection managers together.
    http2: http2Stats(store, '', {}),
    downstream_rq_time: durations(store, 'http.downstream_rq_time', labels),
    downstream_cx_length_ms: durations(store, 'http.downstream_cx_length_ms', labels),
    countResponse(code: number): void {
      metrics.downstream_rq_completed.inc()
      if (code < 200) metrics.downstream_rq_1xx.inc()
      else if (code < 300) metrics.downstream_rq_2xx.inc()
      else if (code < 400) metrics.downstream_rq_3xx.inc()
      else if (code < 500) metrics.downstream_rq_4xx.inc()
      else metrics.downstream_rq_5xx.inc()
    },
  })
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
