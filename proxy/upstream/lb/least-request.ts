import { type Random, randomInt } from '../../../lib/random.ts'
import type { Host } from '../host.ts'
import { type Balancer, weightsAreEqual } from './balancer.ts'
import { EdfScheduler } from './edf.ts'

/**
 * Of `choices` hosts drawn with replacement, the one with the fewest requests under way; the first drawn wins a tie.
 * When weights differ: earliest deadline with weight / (active + 1) (envoy LEAST_REQUEST).
 */
export class LeastRequestBalancer implements Balancer {
  readonly #random: Random
  readonly #choices: number
  #hosts: readonly Host[] = []
  #scheduler: EdfScheduler | undefined

  constructor(random: Random, choices: number) {
    this.#random = random
    this.#choices = Math.max(1, choices)
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts
    this.#scheduler = weightsAreEqual(hosts) ? undefined : new EdfScheduler(hosts, effectiveWeight)
  }

  pick(): Host {
    if (this.#scheduler !== undefined) return this.#scheduler.next(effectiveWeight)
    const hosts = this.#hosts
    if (hosts.length === 1) return hosts[0] as Host
    let best = hosts[randomInt(this.#random, hosts.length)] as Host
    for (let i = 1; i < this.#choices; i++) {
      const other = hosts[randomInt(this.#random, hosts.length)] as Host
      if (other.activeRequests < best.activeRequests) best = other
    }
    return best
  }
}

function effectiveWeight(host: Host): number {
  return host.plan.weight / (host.activeRequests + 1)
}
