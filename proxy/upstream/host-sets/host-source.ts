import type { Host } from '../host.ts'
import type { Balancer, Balancers } from '../lb/balancer.ts'
import type { HostChoice } from '../lb/choice.ts'

const NO_HOSTS: readonly Host[] = []

/** Hosts that are balanced over as one. Its balancer is made, and told of changes, when somebody is to be chosen. */
export class HostSource {
  readonly #balancers: Balancers
  #hosts = NO_HOSTS
  #weights: readonly number[] | undefined
  #balancer: Balancer | undefined
  #isTold = false

  constructor(balancers: Balancers) {
    this.#balancers = balancers
  }

  get hosts(): readonly Host[] {
    return this.#hosts
  }

  /** `weights`, one a host, are in the place of those of the hosts' plans. The same hosts again change nothing. */
  set(hosts: readonly Host[], weights?: readonly number[]): void {
    const before = this.#hosts
    this.#hosts = hosts
    this.#weights = weights
    if (hosts.length !== before.length || hosts.some((host, i) => host !== before[i])) this.#isTold = false
  }

  /** The plans of its hosts may have changed. */
  invalidate(): void {
    this.#isTold = false
  }

  pick(choice: HostChoice, redraw: number): Host | undefined {
    if (this.#hosts.length === 0) return undefined
    const balancer = this.#balancer
    if (balancer === undefined || !this.#isTold) return this.#tell().pick(choice, redraw)
    return balancer.pick(choice, redraw)
  }

  #tell(): Balancer {
    this.#balancer ??= this.#balancers.create()
    this.#balancer.update(this.#hosts, this.#weights)
    this.#isTold = true
    return this.#balancer
  }
}
