import { type Random, randomInt } from '../../../lib/random.ts'
import type { Host } from '../host.ts'
import type { Balancer } from './balancer.ts'

/** Any host with equal chance; weights inside a locality do not count (envoy RANDOM). */
export class RandomBalancer implements Balancer {
  readonly #random: Random
  #hosts: readonly Host[] = []

  constructor(random: Random) {
    this.#random = random
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts
  }

  pick(): Host {
    return this.#hosts[randomInt(this.#random, this.#hosts.length)] as Host
  }
}
