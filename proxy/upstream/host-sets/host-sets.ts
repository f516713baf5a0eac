import type { Metric } from '../../../lib/metrics/store.ts'
import { randomInt } from '../../../lib/random.ts'
import type { Hash64 } from '../../../lib/xxhash64.ts'
import type { Host } from '../host.ts'
import type { HostChoice } from '../lb/choice.ts'
import { type Balancing, HostSet } from './host-set.ts'
import type { HostSource } from './host-source.ts'
import { type PriorityLoad, priorityLoad } from './priority-load.ts'

/** Chooses among the hosts of a cluster, or of a subset of it. */
export interface HostPicker {
  /** Takes another set of hosts over, or others of their plans. */
  setHosts(hosts: readonly Host[]): void
  /** The health of one of its hosts has changed. */
  onHealthChange(host: Host): void
  /** undefined when there is no host that may be chosen. `redraw` counts those that were chosen before, and not wanted. */
  pick(choice: HostChoice, redraw?: number): Host | undefined
}

const NO_LOAD: PriorityLoad = { healthy: [], degraded: [], panic: [] }

/**
 * Hosts by priority (Envoy's ZoneAwareLoadBalancerBase): first a priority by the load that it gets, then its healthy hosts, its
 * degraded ones or, in panic, all, and of those one locality where localities have weights.
 *
 * A change of health is only noted. The next pick looks at the priorities that it belongs to, so that many at once cost
 * what one does.
 */
export class HostSets implements HostPicker {
  readonly #balancing: Balancing
  readonly #inPanic: Metric
  #sets: readonly HostSet[] = []
  #load = NO_LOAD
  /** Where all picks lead, as long as there is only one such place and it needs no counting. */
  #only: HostSource | undefined
  readonly #stale = new Set<HostSet>()

  /** `inPanic` counts picks that did not look at health. */
  constructor(balancing: Balancing, inPanic: Metric) {
    this.#balancing = balancing
    this.#inPanic = inPanic
  }

  /** As of the last pick. */
  get load(): PriorityLoad {
    return this.#load
  }

  setHosts(hosts: readonly Host[]): void {
    const groups: Host[][] = []
    for (const host of hosts) {
      const { priority } = host.plan
      while (groups.length <= priority) groups.push([])
      groups[priority]?.push(host)
    }
    const before = this.#sets
    this.#sets = groups.map((group, priority) => {
      const set = before[priority] ?? new HostSet(priority, this.#balancing)
      set.setHosts(group)
      return set
    })
    this.#stale.clear()
    this.#weigh()
  }

  onHealthChange(host: Host): void {
    const set = this.#sets[host.plan.priority]
    if (set !== undefined) this.#stale.add(set)
  }

  pick(choice: HostChoice, redraw = 0): Host | undefined {
    if (this.#stale.size > 0) this.#refresh()
    const only = this.#only
    return only === undefined || choice.retryPriority !== undefined
      ? this.#pickByLoad(choice, redraw)
      : only.pick(choice, redraw)
  }

  #refresh(): void {
    for (const set of this.#stale) set.refresh()
    this.#stale.clear()
    this.#weigh()
  }

  #weigh(): void {
    const { panicThresholdPercent } = this.#balancing.plan
    this.#load = priorityLoad(
      this.#sets.map(({ health }) => health),
      panicThresholdPercent,
    )
    this.#only = this.#onlySource()
  }

  #onlySource(): HostSource | undefined {
    const { healthy, panic } = this.#load
    const priority = healthy.indexOf(100)
    const set = this.#sets[priority]
    if (set === undefined || panic[priority] === true || !set.isSteady('healthy')) return undefined
    return set.source('healthy')
  }

  #pickByLoad(choice: HostChoice, redraw: number): Host | undefined {
    if (this.#sets.length === 0) return undefined
    const { healthy, degraded } = this.#loadFor(choice)
    let left = this.#percent(choice.hash)
    for (let priority = 0; priority < healthy.length; priority++) {
      left -= healthy[priority] as number
      if (left < 0) return this.#pickFrom(priority, 'healthy', choice, redraw)
    }
    for (let priority = 0; priority < degraded.length; priority++) {
      left -= degraded[priority] as number
      if (left < 0) return this.#pickFrom(priority, 'degraded', choice, redraw)
    }
    return undefined
  }

  #loadFor({ retryPriority }: HostChoice): Pick<PriorityLoad, 'healthy' | 'degraded'> {
    if (retryPriority === undefined) return this.#load
    return retryPriority.loadOf(
      this.#sets.map(({ health }) => health),
      this.#load,
    )
  }

  /** 0 to 99. What has a hash stays with its priority. */
  #percent(hash: Hash64 | undefined): number {
    const { sharesTable, random } = this.#balancing
    return sharesTable && hash !== undefined ? hashPercent(hash) : randomInt(random, 100)
  }

  #pickFrom(priority: number, kind: 'healthy' | 'degraded', choice: HostChoice, redraw: number): Host | undefined {
    const { plan, sharesTable } = this.#balancing
    const set = this.#sets[priority]
    if (this.#load.panic[priority] === true) {
      this.#inPanic.inc()
      // Envoy knows the setting of its zone aware balancers only.
      if (plan.failsInPanic && !sharesTable) return undefined
      return set?.source('all').pick(choice, redraw)
    }
    // A table of hashes has no degraded hosts (Envoy's ThreadAwareLoadBalancerBase).
    return set?.source(sharesTable ? 'healthy' : kind).pick(choice, redraw)
  }
}

/** The remainder by 100 of 64 bits. */
export function hashPercent({ high, low }: Hash64): number {
  return (((high >>> 0) % 100) * TWO_TO_32_PERCENT + ((low >>> 0) % 100)) % 100
}

/** 2^32 modulo 100. */
const TWO_TO_32_PERCENT = 96
