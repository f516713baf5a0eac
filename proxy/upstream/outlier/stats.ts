import type { Metric, MetricStore } from '../../../lib/metrics/store.ts'
import { EJECTION_TYPES, type EjectionType } from './ejection-type.ts'

/** Counters of all ejections; the first three are Envoy's old ones, which it still writes. */
const COUNTERS = [
  'ejections_total',
  'ejections_consecutive_5xx',
  'ejections_success_rate',
  'ejections_overflow',
  'ejections_enforced_total',
] as const

/** Envoy's cluster.<name>.outlier_detection. */
export interface OutlierStats extends Record<(typeof COUNTERS)[number], Metric> {
  readonly ejections_active: Metric
  readonly detected: Readonly<Record<EjectionType, Metric>>
  readonly enforced: Readonly<Record<EjectionType, Metric>>
}

export function outlierStats(store: MetricStore, cluster: string): OutlierStats {
  const labels = { cluster_name: cluster }
  const at = (name: string) => `cluster.outlier_detection.${name}`
  const byType = (what: string) =>
    Object.fromEntries(
      EJECTION_TYPES.map((type) => [type, store.counter(at(`ejections_${what}_${type}`), labels)]),
    ) as Record<EjectionType, Metric>
  const totals = Object.fromEntries(COUNTERS.map((name) => [name, store.counter(at(name), labels)]))
  return {
    ...(totals as Record<(typeof COUNTERS)[number], Metric>),
    // Every thread sees every ejection.
    ejections_active: store.gauge(at('ejections_active'), labels, 'same'),
    detected: byType('detected'),
    enforced: byType('enforced'),
  }
}
