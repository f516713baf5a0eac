import type { SubsetPlan, SubsetSelectorPlan } from '../../plan/plan.ts'
import { type SubsetCriteria, subsetCriteria } from '../../plan/subset-criteria.ts'
import type { Host } from '../host.ts'
import type { HostChoice } from '../lb/choice.ts'
import type { ClusterStats } from '../stats.ts'
import type { Balancing } from './host-set.ts'
import { type HostPicker, HostSets } from './host-sets.ts'

/** Of each criteria that a route asked for: those left when a selector falls back to fewer keys. */
type Reduced = WeakMap<SubsetCriteria, SubsetCriteria>

/**
 * Hosts by what their metadata says (Envoy's SubsetLoadBalancer): there is a subset for each combination of values that the keys
 * of a selector have among the hosts. Each has priorities, localities and balancers of its own.
 */
export class SubsetPicker implements HostPicker {
  readonly #plan: SubsetPlan
  readonly #balancing: Balancing
  readonly #stats: ClusterStats
  /** By `SubsetCriteria.id`. */
  #subsets = new Map<string, HostSets>()
  #subsetsOf = new Map<Host, HostSets[]>()
  readonly #selectors: ReadonlyMap<string, SubsetSelectorPlan>
  readonly #reduced: ReadonlyMap<SubsetSelectorPlan, Reduced>
  readonly #any: HostSets
  readonly #default: HostSets

  constructor(plan: SubsetPlan, balancing: Balancing, stats: ClusterStats) {
    this.#plan = plan
    this.#balancing = balancing
    this.#stats = stats
    this.#selectors = new Map(plan.selectors.map((selector) => [selector.keysId, selector]))
    this.#reduced = new Map(plan.selectors.map((selector) => [selector, new WeakMap()]))
    this.#any = this.#newSets()
    this.#default = this.#newSets()
  }

  setHosts(hosts: readonly Host[]): void {
    this.#any.setHosts(hosts)
    const defaults = hosts.filter((host) => hasAll(host, this.#plan.defaultSubset))
    this.#default.setHosts(defaults)
    const before = this.#subsets
    this.#subsets = new Map()
    this.#subsetsOf = new Map(hosts.map((host) => [host, [this.#any]]))
    for (const host of defaults) this.#subsetsOf.get(host)?.push(this.#default)
    for (const [id, members] of this.#group(hosts)) this.#setSubset(id, members, before.get(id))
    for (const id of before.keys()) if (!this.#subsets.has(id)) this.#stats.lb_subsets_removed.inc()
    this.#stats.lb_subsets_active.set(this.#subsets.size)
  }

  onHealthChange(host: Host): void {
    for (const sets of this.#subsetsOf.get(host) ?? []) sets.onHealthChange(host)
  }

  pick(choice: HostChoice, redraw = 0): Host | undefined {
    const { criteria } = choice
    if (criteria !== undefined) {
      const sets = this.#subsets.get(criteria.id)
      if (sets !== undefined) {
        this.#stats.lb_subsets_selected.inc()
        return sets.pick(choice, redraw)
      }
      const selector = this.#selectors.get(criteria.keysId)
      if (selector !== undefined && selector.fallback !== 'cluster')
        return this.#fallBack(selector, criteria, choice, redraw)
    }
    const { fallback } = this.#plan
    if (fallback !== 'none') {
      const host = (fallback === 'any' ? this.#any : this.#default).pick(choice, redraw)
      if (host !== undefined) {
        this.#stats.lb_subsets_fallback.inc()
        return host
      }
    }
    if (!this.#plan.panicModeAny) return undefined
    const host = this.#any.pick(choice, redraw)
    if (host !== undefined) this.#stats.lb_subsets_fallback_panic.inc()
    return host
  }

  #fallBack(
    selector: SubsetSelectorPlan,
    criteria: SubsetCriteria,
    choice: HostChoice,
    redraw: number,
  ): Host | undefined {
    switch (selector.fallback) {
      case 'any':
        return this.#any.pick(choice, redraw)
      case 'default':
        return this.#default.pick(choice, redraw)
      case 'keys':
        return this.pick({ ...choice, criteria: this.#reduce(selector, criteria) }, redraw)
      default:
        return undefined
    }
  }

  #reduce(selector: SubsetSelectorPlan, criteria: SubsetCriteria): SubsetCriteria {
    const known = this.#reduced.get(selector) as Reduced
    let reduced = known.get(criteria)
    if (reduced === undefined) {
      reduced = subsetCriteria(criteria.entries.filter(([key]) => selector.fallbackKeys.includes(key)))
      known.set(criteria, reduced)
    }
    return reduced
  }

  #group(hosts: readonly Host[]): Map<string, Host[]> {
    const groups = new Map<string, Host[]>()
    for (const { keys } of this.#selectors.values()) {
      for (const host of hosts) {
        const entries = host.plan.subsetMetadata.filter(([key]) => keys.includes(key))
        if (entries.length < keys.length) continue
        const { id } = subsetCriteria(entries)
        const group = groups.get(id)
        if (group === undefined) groups.set(id, [host])
        else group.push(host)
      }
    }
    return groups
  }

  #setSubset(id: string, members: readonly Host[], before: HostSets | undefined): void {
    const sets = before ?? this.#newSets()
    if (before === undefined) this.#stats.lb_subsets_created.inc()
    sets.setHosts(members)
    this.#subsets.set(id, sets)
    for (const host of members) this.#subsetsOf.get(host)?.push(sets)
  }

  #newSets(): HostSets {
    const usesLocalityWeights = this.#balancing.usesLocalityWeights && this.#plan.usesLocalityWeights
    return new HostSets({ ...this.#balancing, usesLocalityWeights }, this.#stats.lb_healthy_panic)
  }
}

function hasAll({ plan }: Host, criteria: SubsetCriteria): boolean {
  return criteria.entries.every(([key, value]) =>
    plan.subsetMetadata.some(([ownKey, own]) => ownKey === key && own === value),
  )
}
