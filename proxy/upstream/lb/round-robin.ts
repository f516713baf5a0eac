import { type Random, randomInt } from '../../../lib/random.ts'
import type { Host } from '../host.ts'
import { type Balancer, weightsAreEqual } from './balancer.ts'
import { EdfScheduler } from './edf.ts'

/** In turn from a random start; by earliest deadline when weights differ (envoy ROUND_ROBIN). */
export class RoundRobinBalancer implements Balancer {
  readonly #random: Random
  #hosts: readonly Host[] = []
  #index = 0
  #scheduler: EdfScheduler | undefined

  constructor(random: Random) {
    this.#random = random
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts
    this.#index = randomInt(this.#random, Math.max(1, hosts.length))
    this.#scheduler = weightsAreEqual(hosts) ? undefined : new EdfScheduler(hosts, weightOf)
  }

  pick(): Host {
    if (this.#scheduler !== undefined) return this.#scheduler.next(weightOf)
    if (this.#index >= this.#hosts.length) this.#index = 0
    return this.#hosts[this.#index++] as Host
  }
}

function weightOf(host: Host): number {
  return host.plan.weight
}
