import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import { COUNT, type CountKind } from './breaker-counts.ts'

/** What Envoy calls the things that breakers count, by COUNT. */
const NAMES = {
  [COUNT.connections]: 'cx',
  [COUNT.pending]: 'rq_pending',
  [COUNT.requests]: 'rq',
  [COUNT.retries]: 'rq_retry',
}
const REMAINING = { ...NAMES, [COUNT.pending]: 'pending', [COUNT.retries]: 'retries' }

/**
 * Envoy's gauges of one priority's circuit breakers: `<what>_open` is 1 while nothing more may pass, `remaining_<what>` says how
 * many more may (`track_remaining`). Each thread shows what it saw last.
 */
export class BreakerStats {
  readonly #open: readonly Metric[]
  readonly #remaining: readonly Metric[]

  constructor(open: readonly Metric[], remaining: readonly Metric[]) {
    this.#open = open
    this.#remaining = remaining
  }

  show(kind: CountKind, count: number, limit: number, isTracked: boolean): void {
    this.#open[kind]?.set(count >= limit ? 1 : 0)
    if (isTracked) this.#remaining[kind]?.set(Math.max(0, limit - count))
  }
}

export function breakerStats(store: MetricStore, cluster: string, priority: 'default' | 'high'): BreakerStats {
  const labels = { cluster_name: cluster }
  const gauge = (name: string) => store.gauge(`cluster.circuit_breakers.${priority}.${name}`, labels, 'same')
  const kinds = Object.values(COUNT)
  return new BreakerStats(
    kinds.map((kind) => gauge(`${NAMES[kind]}_open`)),
    kinds.map((kind) => gauge(`remaining_${REMAINING[kind]}`)),
  )
}
