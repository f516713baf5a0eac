import { type Random, randomInt } from '../../../../lib/random.ts'
import { type Hash64, HashValue } from '../../../../lib/xxhash64.ts'
import type { BalancingPlan, HashingPlan } from '../../../plan/balancing-plan.ts'
import type { Host } from '../../host.ts'
import type { Balancer } from '../balancer.ts'
import type { HostChoice } from '../choice.ts'
import { BoundedLoad } from './bounded-load.ts'
import { hostHashKey } from './host-key.ts'
import { MaglevTable } from './maglev.ts'
import { Ring } from './ring.ts'
import type { BuildTable, HashTable } from './table.ts'

/**
 * Requests of the same hash go to the same host, in every proxy that has the same hosts, Envoys too; one without a hash goes
 * anywhere. The table is made when the first request comes after a change, and kept when the change was none to it: most
 * clusters that a proxy is told of are never called.
 */
export class HashingBalancer implements Balancer {
  readonly #plan: HashingPlan
  readonly #random: Random
  readonly #build: BuildTable
  readonly #bounded: BoundedLoad | undefined
  readonly #anyHash = new HashValue()
  #hosts: readonly Host[] = []
  #weights: readonly number[] | undefined
  #keys: readonly string[] = []
  #shares = new Float64Array(0)
  #table: HashTable | undefined
  #isStale = false
  /** How often a table was made. */
  builds = 0

  constructor(plan: HashingPlan, random: Random, build: BuildTable) {
    this.#plan = plan
    this.#random = random
    this.#build = build
    this.#bounded = plan.balanceFactor > 0 ? new BoundedLoad(plan.balanceFactor) : undefined
  }

  update(hosts: readonly Host[], weights?: readonly number[]): void {
    this.#hosts = hosts
    this.#weights = weights
    this.#isStale = true
  }

  pick({ hash = this.#drawHash() }: HostChoice, redraw: number): Host {
    if (this.#isStale) this.#refresh()
    let index = (this.#table as HashTable).find(hash, redraw)
    if (this.#bounded !== undefined) index = this.#bounded.bound(this.#hosts, this.#shares, hash, index)
    return this.#hosts[index] as Host
  }

  #drawHash(): Hash64 {
    this.#anyHash.high = randomInt(this.#random, 0x1_0000_0000)
    this.#anyHash.low = randomInt(this.#random, 0x1_0000_0000)
    return this.#anyHash
  }

  #refresh(): void {
    this.#isStale = false
    const hosts = this.#hosts
    const keys = hosts.map(({ plan }) => hostHashKey(plan, this.#plan.usesHostname))
    const weights = this.#weights ?? hosts.map(({ plan }) => plan.weight)
    const sum = weights.reduce((total, weight) => total + weight, 0)
    const shares = Float64Array.from(weights, (weight) => weight / sum)
    const isSame =
      keys.length === this.#keys.length &&
      keys.every((key, i) => key === this.#keys[i] && shares[i] === this.#shares[i])
    if (isSame) return
    this.#keys = keys
    this.#shares = shares
    this.#table = this.#build(
      keys.map((key) => Buffer.from(key)),
      shares,
    )
    this.builds++
  }
}

export function ringHashBalancer(plan: Extract<BalancingPlan, { kind: 'ring_hash' }>, random: Random): HashingBalancer {
  return new HashingBalancer(plan, random, (keys, shares) => new Ring(keys, shares, plan.minSize, plan.maxSize))
}

export function maglevBalancer(plan: Extract<BalancingPlan, { kind: 'maglev' }>, random: Random): HashingBalancer {
  return new HashingBalancer(plan, random, (keys, shares) => new MaglevTable(keys, shares, plan.tableSize))
}
