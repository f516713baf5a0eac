import { randomInt } from '../../../lib/random.ts'
import type { SlowStartPlan } from '../../plan/balancing-plan.ts'
import type { Host } from '../host.ts'
import type { Balancer, BalancerContext } from './balancer.ts'
import { type EdfScheduler, PICKS_BOUND, schedulerOf } from './edf.ts'
import { SlowStart } from './slow-start.ts'

/**
 * In turn from a random start, which a changed set of hosts does not draw anew; by earliest deadline while weights differ or a
 * host starts slowly (envoy ROUND_ROBIN).
 */
export class RoundRobinBalancer implements Balancer {
  readonly #seed: number
  readonly #slowStart: SlowStart | undefined
  readonly #weightOf: (host: Host) => number
  #hosts: readonly Host[] = []
  #index: number
  #scheduler: EdfScheduler<Host> | undefined

  constructor({ random, clock }: BalancerContext, slowStart: SlowStartPlan | undefined) {
    this.#seed = randomInt(random, PICKS_BOUND)
    this.#index = this.#seed
    const slow = slowStart && new SlowStart(slowStart, clock)
    this.#slowStart = slow
    this.#weightOf = slow === undefined ? weightOf : (host) => host.plan.weight * slow.shareOf(host)
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts
    this.#index %= Math.max(1, hosts.length)
    this.#slowStart?.noteHosts(hosts)
    this.#scheduler = schedulerOf(hosts, this.#weightOf, this.#slowStart?.isUnderWay === true, this.#seed)
  }

  pick(): Host {
    if (this.#scheduler !== undefined) return this.#scheduler.next(this.#weightOf)
    if (this.#index >= this.#hosts.length) this.#index = 0
    return this.#hosts[this.#index++] as Host
  }
}

function weightOf(host: Host): number {
  return host.plan.weight
}
