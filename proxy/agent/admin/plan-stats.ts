import type { MetricStore } from '../../../lib/metrics/store.ts'
import { EMPTY_PLAN, type Plan } from '../../plan/plan.ts'

/** What has changed from one plan to the next, and how much there is of it, as Envoy's managers of listeners and clusters count it. */
export class PlanStats {
  readonly #listeners
  readonly #clusters
  #plan: Plan = EMPTY_PLAN

  constructor(metrics: MetricStore) {
    const of = (manager: string, kind: string, total: string) => ({
      added: metrics.counter(`${manager}.${kind}_added`),
      modified: metrics.counter(`${manager}.${kind}_modified`),
      removed: metrics.counter(`${manager}.${kind}_removed`),
      total: metrics.gauge(`${manager}.${total}`),
    })
    this.#listeners = of('listener_manager', 'listener', 'total_listeners_active')
    this.#clusters = of('cluster_manager', 'cluster', 'active_clusters')
  }

  setPlan(plan: Plan): void {
    count(this.#listeners, this.#plan.listeners, plan.listeners)
    count(this.#clusters, this.#plan.clusters, plan.clusters)
    this.#plan = plan
  }
}

interface Counted {
  inc(): void
}

function count(
  into: { added: Counted; modified: Counted; removed: Counted; total: { set(value: number): void } },
  before: ReadonlyMap<string, unknown>,
  now: ReadonlyMap<string, unknown>,
): void {
  for (const [name, one] of now) {
    if (!before.has(name)) into.added.inc()
    else if (before.get(name) !== one) into.modified.inc()
  }
  for (const name of before.keys()) if (!now.has(name)) into.removed.inc()
  into.total.set(now.size)
}
