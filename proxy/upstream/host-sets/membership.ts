import type { Health } from '../health.ts'
import type { Host } from '../host.ts'
import type { ClusterStats } from '../stats.ts'

/** How many hosts a cluster has, and how they are: counted anew for another set, one by one for a change of health. */
export class Membership {
  readonly #stats: ClusterStats

  constructor(stats: ClusterStats) {
    this.#stats = stats
  }

  count(hosts: readonly Host[]): void {
    const counts: Record<Health, number> = { healthy: 0, degraded: 0, unhealthy: 0 }
    for (const { health } of hosts) counts[health]++
    this.#stats.membership_total.set(hosts.length)
    this.#stats.membership_healthy.set(counts.healthy)
    this.#stats.membership_degraded.set(counts.degraded)
  }

  move(from: Health, to: Health): void {
    this.#add(from, -1)
    this.#add(to, 1)
  }

  #add(health: Health, by: number): void {
    if (health === 'healthy') this.#stats.membership_healthy.add(by)
    else if (health === 'degraded') this.#stats.membership_degraded.add(by)
  }
}
