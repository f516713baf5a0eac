import type { Metric, MetricStore } from '../../lib/metrics/store.ts'

/** Envoy's counters and gauges of one TCP proxy, without their `tcp.<prefix>.` prefix. */
export interface TcpStats {
  readonly downstream_cx_total: Metric
  readonly downstream_cx_no_route: Metric
  readonly downstream_cx_active: Metric
}

export function tcpStats(store: MetricStore, statPrefix: string): TcpStats {
  const labels = { tcp_prefix: statPrefix }
  return {
    downstream_cx_total: store.counter('tcp.downstream_cx_total', labels),
    downstream_cx_no_route: store.counter('tcp.downstream_cx_no_route', labels),
    downstream_cx_active: store.gauge('tcp.downstream_cx_active', labels),
  }
}
