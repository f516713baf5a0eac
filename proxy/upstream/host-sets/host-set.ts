import type { Random } from '../../../lib/random.ts'
import type { ClusterPlan } from '../../plan/plan.ts'
import { HEALTH_FLAG } from '../health.ts'
import type { Host } from '../host.ts'
import type { Balancers } from '../lb/balancer.ts'
import { HostSource } from './host-source.ts'
import { effectiveWeight, LocalityScheduler } from './locality-scheduler.ts'
import type { PriorityHealth } from './priority-load.ts'
import { shareByLocality } from './shared-weights.ts'

/** Envoy's default, in per cents. */
const DEFAULT_OVERPROVISIONING = 140

/** Which of a priority's hosts are meant. */
export type Kind = 'healthy' | 'degraded' | 'all'

/** The hosts of one locality of a priority. */
export interface LocalityHosts {
  readonly weight: number
  readonly hosts: readonly Host[]
  /** How many of them are missed when they fail. */
  readonly counted: number
  readonly healthy: HostSource
  readonly degraded: HostSource
}

/** How the hosts of one cluster are balanced over, whatever their priority. */
export interface Balancing {
  readonly plan: ClusterPlan
  readonly random: Random
  readonly balancers: Balancers
  readonly usesLocalityWeights: boolean
  /** One table a priority holds the hosts of all localities, so that a hash leads to one host (ring hash and Maglev). */
  readonly sharesTable: boolean
}

/** The hosts of one priority. What is said of them is as of the last `refresh()`. */
export class HostSet {
  readonly priority: number
  readonly #balancing: Balancing
  readonly #sources: Readonly<Record<Kind, HostSource>>
  #hosts: readonly Host[] = []
  #localities: readonly LocalityHosts[] = []
  #healthySchedule: LocalityScheduler | undefined
  #degradedSchedule: LocalityScheduler | undefined
  health: PriorityHealth = NOBODY

  constructor(priority: number, balancing: Balancing) {
    this.priority = priority
    this.#balancing = balancing
    const source = () => new HostSource(balancing.balancers)
    this.#sources = { healthy: source(), degraded: source(), all: source() }
  }

  get hosts(): readonly Host[] {
    return this.#hosts
  }

  setHosts(hosts: readonly Host[]): void {
    this.#hosts = hosts
    this.#localities = this.#balancing.usesLocalityWeights ? this.#byLocality(hosts) : []
    for (const source of Object.values(this.#sources)) source.invalidate()
    this.#setSource('all', hosts)
    this.refresh()
  }

  /** Looks at the health of each host again. */
  refresh(): void {
    const healthy = this.#hosts.filter((host) => host.health === 'healthy')
    const degraded = this.#hosts.filter((host) => host.health === 'degraded')
    this.#setSource('healthy', healthy)
    this.#setSource('degraded', degraded)
    this.health = healthOfAll(this.#hosts, healthy, degraded)
    if (this.#balancing.sharesTable) return
    for (const locality of this.#localities) {
      locality.healthy.set(locality.hosts.filter((host) => host.health === 'healthy'))
      locality.degraded.set(locality.hosts.filter((host) => host.health === 'degraded'))
    }
    this.#healthySchedule = this.#schedule('healthy')
    this.#degradedSchedule = this.#schedule('degraded')
  }

  /** Where hosts of a kind are chosen from now: it may be another locality each time. */
  source(kind: Kind): HostSource {
    if (kind === 'healthy') {
      if (this.#healthySchedule === undefined) return this.#sources.healthy
      return (this.#localities[this.#healthySchedule.next()] as LocalityHosts).healthy
    }
    if (kind === 'degraded' && this.#degradedSchedule !== undefined) {
      return (this.#localities[this.#degradedSchedule.next()] as LocalityHosts).degraded
    }
    return this.#sources[kind]
  }

  /** Whether `source()` of a kind is the same until something changes. */
  isSteady(kind: Kind): boolean {
    if (kind === 'all') return true
    const schedule = kind === 'healthy' ? this.#healthySchedule : this.#degradedSchedule
    return schedule === undefined || schedule.isSingle
  }

  #setSource(kind: Kind, hosts: readonly Host[]): void {
    const { sharesTable, usesLocalityWeights } = this.#balancing
    const source = this.#sources[kind]
    if (!sharesTable || !usesLocalityWeights) {
      source.set(hosts)
      return
    }
    const total = this.#localities.reduce((sum, { weight }) => sum + weight, 0)
    const weighted = hosts.filter(({ plan }) => plan.localityWeight > 0)
    source.set(weighted, shareByLocality(weighted, total))
  }

  #byLocality(hosts: readonly Host[]): readonly LocalityHosts[] {
    const { balancers } = this.#balancing
    const groups = new Map<string, Host[]>()
    for (const host of hosts) {
      const group = groups.get(host.plan.locality)
      if (group === undefined) groups.set(host.plan.locality, [host])
      else group.push(host)
    }
    return [...groups].sort(byName).map(([, group]) => ({
      weight: group[0]?.plan.localityWeight ?? 0,
      hosts: group,
      counted: group.filter(isCounted).length,
      healthy: new HostSource(balancers),
      degraded: new HostSource(balancers),
    }))
  }

  /** undefined where localities have no weights, or none has hosts of the kind: then localities are not looked at. */
  #schedule(kind: 'healthy' | 'degraded'): LocalityScheduler | undefined {
    const { overprovisioningPercent } = this.health
    const weights = this.#localities.map((locality) =>
      effectiveWeight(locality.weight, locality.counted, locality[kind].hosts.length, overprovisioningPercent),
    )
    return weights.some((weight) => weight > 0) ? new LocalityScheduler(weights, this.#balancing.random) : undefined
  }
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}

const NOBODY: PriorityHealth = {
  hosts: 0,
  counted: 0,
  healthy: 0,
  degraded: 0,
  size: 0,
  healthySize: 0,
  degradedSize: 0,
  overprovisioningPercent: DEFAULT_OVERPROVISIONING,
}

function healthOfAll(hosts: readonly Host[], healthy: readonly Host[], degraded: readonly Host[]): PriorityHealth {
  const policy = hosts[0]?.plan.policy
  const counted = hosts.filter(isCounted)
  const sizeOf = policy?.weighsHealth ? weightOfAll : (some: readonly Host[]) => some.length
  return {
    hosts: hosts.length,
    counted: counted.length,
    healthy: healthy.length,
    degraded: degraded.length,
    size: sizeOf(counted),
    healthySize: sizeOf(healthy),
    degradedSize: sizeOf(degraded),
    overprovisioningPercent: policy?.overprovisioningPercent ?? DEFAULT_OVERPROVISIONING,
  }
}

/** A host that is on its way out, or has said that it fails, is missed by nobody when it can no longer serve. */
function isCounted({ plan, healthFlags }: Host): boolean {
  return !plan.draining && (healthFlags & HEALTH_FLAG.immediateFailure) === 0
}

function weightOfAll(hosts: readonly Host[]): number {
  return hosts.reduce((sum, host) => sum + host.plan.weight, 0)
}
