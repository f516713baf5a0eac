import type { Metric, MetricStore } from '../../../lib/metrics/store.ts'

const COUNTERS = ['attempt', 'success', 'failure', 'network_failure', 'passive_failure', 'verify_cluster'] as const
const GAUGES = ['healthy', 'degraded'] as const

/** Envoy's cluster.<name>.health_check. */
export type HealthCheckStats = Record<(typeof COUNTERS)[number] | (typeof GAUGES)[number], Metric>

export function healthCheckStats(store: MetricStore, cluster: string): HealthCheckStats {
  const labels = { cluster_name: cluster }
  const at = (name: string) => `cluster.health_check.${name}`
  return Object.fromEntries([
    ...COUNTERS.map((name) => [name, store.counter(at(name), labels)]),
    // Every thread knows of all hosts.
    ...GAUGES.map((name) => [name, store.gauge(at(name), labels, 'same')]),
  ]) as HealthCheckStats
}
