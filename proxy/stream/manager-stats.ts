import type { Metric, MetricLabels, MetricStore } from '../../lib/metrics/store.ts'
import { type Http2Stats, http2Stats } from '../http2/stats.ts'

/** Envoy's counters and gauges of one connection manager, without their `http.<prefix>.` prefix. */
const COUNTERS = [
  'downstream_cx_total',
  'downstream_cx_http2_total',
  'downstream_cx_protocol_error',
  'downstream_cx_idle_timeout',
  'downstream_rq_total',
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
] as const
const GAUGES = ['downstream_cx_active', 'downstream_rq_active', 'downstream_cx_upgrades_active'] as const

type Name = (typeof COUNTERS)[number] | (typeof GAUGES)[number]

export type ManagerStats = Record<Name, Metric> & {
  readonly http2: Http2Stats
  status(code: number): Metric
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
    http2: http2Stats(store, 'http', labels),
    status(code: number): Metric {
      if (code < 200) return metrics.downstream_rq_1xx
      if (code < 300) return metrics.downstream_rq_2xx
      if (code < 400) return metrics.downstream_rq_3xx
      return code < 500 ? metrics.downstream_rq_4xx : metrics.downstream_rq_5xx
    },
  })
}

function counterOf(store: MetricStore, name: string, ofManager: MetricLabels): Metric {
  if (name.startsWith('.')) return store.counter(name.slice(1))
  if (!name.startsWith('@')) return store.counter(`http.${name}`, ofManager)
  const space = name.lastIndexOf(' ')
  return store.counter(`cluster.${name.slice(space + 1)}`, { cluster_name: name.slice(1, space) })
}
