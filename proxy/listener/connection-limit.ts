import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import type { ConnectionLimitPlan } from '../plan/plan.ts'

/**
 * The connections of one filter chain's limit. It outlives changes of the configuration, which count on with the
 * connections that are open.
 */
export class ConnectionLimit {
  /** Over all limits of one stat prefix. */
  readonly #activeTotal: Metric
  readonly #limited: Metric
  #active = 0

  constructor(metrics: MetricStore, statPrefix: string) {
    const labels = { connection_limit_prefix: statPrefix }
    this.#activeTotal = metrics.gauge('connection_limit.active_connections', labels)
    this.#limited = metrics.counter('connection_limit.limited_connections', labels)
  }

  take(plan: ConnectionLimitPlan): boolean {
    if (this.#active >= plan.maxConnections) {
      this.#limited.inc()
      return false
    }
    this.#active++
    this.#activeTotal.inc()
    return true
  }

  giveBack(): void {
    this.#active--
    this.#activeTotal.dec()
  }
}
