import type { EndpointPlan, Plan } from '../plan/plan.ts'

/** The hosts of each cluster in turn, those that are healthy: what is compared is who is asked, not how they are chosen. */
export class Hosts {
  readonly #plan: Plan
  readonly #turns = new Map<string, number>()

  constructor(plan: Plan) {
    this.#plan = plan
  }

  /** undefined when there is none, or when it cannot be reached in plain text. */
  next(clusterName: string): EndpointPlan | undefined {
    const cluster = this.#plan.clusters.get(clusterName)
    if (cluster === undefined || cluster.tls !== undefined || cluster.socketMatches.length > 0) return undefined
    const endpoints =
      cluster.discovery === 'eds' ? (this.#plan.endpoints.get(cluster.edsServiceName) ?? []) : cluster.endpoints
    const healthy = endpoints.filter((endpoint) => endpoint.healthy)
    const turn = this.#turns.get(clusterName) ?? 0
    this.#turns.set(clusterName, turn + 1)
    return healthy[turn % healthy.length]
  }
}
