import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import type { ConnectionLimitPlan } from '../plan/plan.ts'

/**
 * The connections of one connection limit. It is kept by its stat prefix, so that a changed configuration counts on
 * with the connections that are open.
 */
export class ConnectionLimit {
  readonly #active: Metric
  readonly #limited: Metric

  constructor(metrics: MetricStore, statPrefix: string) {
    const labels = { connection_limit_prefix: statPrefix }
    this.#active = metrics.gauge('connection_limit.active_connections', labels)
    this.#limited = metrics.counter('connection_limit.limited_connections', labels)
  }

  take(plan: ConnectionLimitPlan): boolean {
    if (this.#active.value >= plan.maxConnections) {
      this.#limited.inc()
      return false
    }
    this.#active.inc()
    return true
  }

  giveBack(): void {
    this.#active.dec()
  }
}
