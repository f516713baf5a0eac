import { type Random, randomInt } from '../../../lib/random.ts'
import type { BalancingPlan } from '../../plan/balancing-plan.ts'
import type { Host } from '../host.ts'
import type { Balancer, BalancerContext } from './balancer.ts'
import { type EdfScheduler, PICKS_BOUND, schedulerOf } from './edf.ts'
import { SlowStart } from './slow-start.ts'

type LeastRequestPlan = Extract<BalancingPlan, { kind: 'least_request' }>

/**
 * Of `choices` hosts drawn with replacement, the one with the fewest requests under way; the first drawn wins a tie. With no
 * choices all are looked at, and any of those that tie may win. While weights differ or a host starts slowly: earliest deadline
 * with weight / (active + 1) ^ bias (envoy LEAST_REQUEST).
 */
export class LeastRequestBalancer implements Balancer {
  readonly #random: Random
  readonly #choices: number
  readonly #seed: number
  readonly #slowStart: SlowStart | undefined
  readonly #weightOf: (host: Host) => number
  #hosts: readonly Host[] = []
  #scheduler: EdfScheduler<Host> | undefined

  constructor({ random, clock }: BalancerContext, { choices, activeRequestBias: bias, slowStart }: LeastRequestPlan) {
    this.#random = random
    this.#choices = choices
    this.#seed = randomInt(random, PICKS_BOUND)
    const slow = slowStart && new SlowStart(slowStart, clock)
    this.#slowStart = slow
    const byRequests = (host: Host) => host.plan.weight / activePower(host, bias)
    this.#weightOf = slow === undefined ? byRequests : (host) => byRequests(host) * slow.shareOf(host)
  }

  update(hosts: readonly Host[]): void {
    this.#hosts = hosts
    this.#slowStart?.noteHosts(hosts)
    this.#scheduler = schedulerOf(hosts, this.#weightOf, this.#slowStart?.isUnderWay === true, this.#seed)
  }

  pick(): Host {
    if (this.#scheduler !== undefined) return this.#scheduler.next(this.#weightOf)
    const hosts = this.#hosts
    if (hosts.length === 1) return hosts[0] as Host
    return this.#choices === 0 ? this.#pickOfAll(hosts) : this.#pickOfSome(hosts)
  }

  #pickOfSome(hosts: readonly Host[]): Host {
    let best = hosts[randomInt(this.#random, hosts.length)] as Host
    for (let i = 1; i < this.#choices; i++) {
      const other = hosts[randomInt(this.#random, hosts.length)] as Host
      if (other.activeRequests < best.activeRequests) best = other
    }
    return best
  }

  #pickOfAll(hosts: readonly Host[]): Host {
    let best = hosts[0] as Host
    let tied = 1
    for (let i = 1; i < hosts.length; i++) {
      const other = hosts[i] as Host
      if (other.activeRequests < best.activeRequests) {
        best = other
        tied = 1
      } else if (other.activeRequests === best.activeRequests) {
        // Each of those that tie has the same chance in the end.
        tied++
        if (randomInt(this.#random, tied) === 0) best = other
      }
    }
    return best
  }
}

function activePower(host: Host, bias: number): number {
  if (bias === 0) return 1
  const active = host.activeRequests + 1
  return bias === 1 ? active : active ** bias
}
