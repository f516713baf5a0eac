import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import type { ConnectionLimitPlan } from '../plan/plan.ts'
import { type BreakerCounts, COUNT } from '../upstream/breaker-counts.ts'

/**
 * The connections of one filter chain's limit. It outlives changes of the configuration, which count on with the
 * connections that are open.
 */
export class ConnectionLimit {
  /** Over all limits of one stat prefix. */
  readonly #activeTotal: Metric
  readonly #limited: Metric
  readonly #counts: BreakerCounts

  /** `counts` may be those of all threads. */
  constructor(metrics: MetricStore, statPrefix: string, counts: BreakerCounts) {
    this.#counts = counts
    const labels = { connection_limit_prefix: statPrefix }
    this.#activeTotal = metrics.gauge('connection_limit.active_connections', labels)
    this.#limited = metrics.counter('connection_limit.limited_connections', labels)
  }

  take(plan: ConnectionLimitPlan): boolean {
    if (this.#counts.total(COUNT.connections) >= plan.maxConnections) {
      this.#limited.inc()
      return false
    }
    this.#counts.add(COUNT.connections, 1)
    this.#activeTotal.inc()
    return true
  }

  giveBack(): void {
    this.#counts.add(COUNT.connections, -1)
    this.#activeTotal.dec()
  }
}
