import { type Clock, HeldClock } from '../../../lib/clock.ts'
import type { MetricStore } from '../../../lib/metrics/store.ts'
import type { Random } from '../../../lib/random.ts'
import type { TimerWheel } from '../../../lib/timer-wheel.ts'
import type { Surroundings } from '../../../proxy/decide/surroundings.ts'
import type { Plan } from '../../../proxy/plan/plan.ts'
import { PreparedFilters } from '../../../proxy/prepared-filters.ts'
import type { BugReporter } from '../../../proxy/stream/bugs.ts'
import type { StreamContext } from '../../../proxy/stream/context.ts'
import type { DateHeader } from '../../../proxy/stream/date.ts'
import type { HeaderBlock } from '../../../proxy/stream/header-block.ts'
import type { OutBuffer } from '../../../proxy/stream/out-buffer.ts'
import { surroundingsOf } from '../../../proxy/surroundings.ts'
import { UNOBSERVED } from '../../../proxy/telemetry/telemetry.ts'
import { COUNT, ownBreakerTable } from '../../../proxy/upstream/breaker-counts.ts'
import { Cluster, type UpstreamContext } from '../../../proxy/upstream/cluster.ts'
import type { Wire } from '../../../proxy/upstream/wire.ts'
import { CliError } from '../../exit.ts'
import type { CallOwner } from './downstream.ts'
import { SimulatedDownstream } from './downstream.ts'
import type { ProxyGroup } from './group.ts'
import type { CallTarget } from './target.ts'

/** What all proxies of a simulation share; none of it makes a difference to what they do. */
export interface World {
  readonly clock: Clock
  readonly wheel: TimerWheel
  readonly date: DateHeader
  readonly out: OutBuffer
  readonly bugs: BugReporter
  readonly wire: Wire
  /** Connections of applications that were ever open at a time. */
  downstreams: number
}

/** Calls that can wait at a time; each has a connection with an exchange. */
const MAX_DOWNSTREAMS = 200_000
const NEVER_OVERLOADED = { isShedding: false }

/**
 * The data plane of one sidecar, with what a real one has: clusters, balancers, breakers and health of its own. Clusters are made
 * when something is first sent to them, since a simulation may have thousands of proxies.
 */
export class SimulatedProxy implements StreamContext, UpstreamContext {
  readonly clock: HeldClock
  readonly wheel: TimerWheel
  readonly date: DateHeader
  readonly out: OutBuffer
  readonly bugs: BugReporter
  readonly wire: Wire
  readonly random: Random
  readonly metrics: MetricStore
  readonly breakers = ownBreakerTable
  readonly overload = NEVER_OVERLOADED
  readonly around: Surroundings
  readonly telemetry = UNOBSERVED
  readonly #faults = ownBreakerTable.countsOf('')
  readonly address: string
  plan: Plan
  readonly group: ProxyGroup
  readonly #clusters = new Map<string, Cluster>()
  readonly #filters: PreparedFilters
  readonly #idle = new Map<CallTarget, SimulatedDownstream[]>()
  readonly #idPrefix: string
  readonly #world: World
  #requests = 0

  constructor(world: World, group: ProxyGroup, address: string, random: Random) {
    this.#world = world
    this.clock = new HeldClock(world.clock)
    this.wheel = world.wheel
    this.date = world.date
    this.out = world.out
    this.bugs = world.bugs
    this.wire = world.wire
    this.group = group
    this.metrics = group.metrics
    this.address = address
    this.random = random
    this.#idPrefix = `${Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0')}-0000-4000-8000-`
    this.plan = group.plan
    this.around = surroundingsOf({ localCluster: group.owner }, this, this.#faults)
    this.#filters = new PreparedFilters(this)
    this.#filters.setPlan(this.plan)
  }

  addActiveFault(by: 1 | -1): void {
    this.#faults.add(COUNT.requests, by)
  }

  /** Of the form of a UUID: the proxy's own number, then that of the request. */
  addRequestId(head: HeaderBlock): void {
    head.append('x-request-id', this.#idPrefix + (++this.#requests).toString(16).padStart(12, '0'))
  }

  cluster(name: string): Cluster | undefined {
    const cluster = this.#clusters.get(name)
    if (cluster !== undefined) return cluster
    const plan = this.plan.clusters.get(name)
    if (plan === undefined) return undefined
    const made = new Cluster(plan, this, this.plan.secrets)
    this.#clusters.set(name, made)
    this.#setEndpoints(made, this.plan)
    return made
  }

  /** As DataPlane.setPlan(): clusters first, then the plan in one assignment, and only then are clusters dropped. */
  setPlan(plan: Plan): void {
    for (const [name, cluster] of this.#clusters) {
      const clusterPlan = plan.clusters.get(name)
      if (clusterPlan === undefined) continue
      if (cluster.plan !== clusterPlan) cluster.replacePlan(clusterPlan, plan.secrets)
      this.#setEndpoints(cluster, plan)
    }
    this.plan = plan
    this.#filters.setPlan(plan)
    for (const [name, cluster] of this.#clusters) {
      if (plan.clusters.has(name)) continue
      this.#clusters.delete(name)
      cluster.remove()
    }
  }

  #setEndpoints(cluster: Cluster, plan: Plan): void {
    const { discovery, edsServiceName, endpoints } = cluster.plan
    cluster.setEndpointsOnce(discovery === 'eds' ? (plan.endpoints.get(edsServiceName) ?? []) : endpoints)
  }

  // === calls of the application beside ===

  /** Begins a call over a connection of the application; the owner is told once how it ends, never within this call. */
  call(target: CallTarget, owner: CallOwner): SimulatedDownstream {
    const downstream = this.#idle.get(target)?.pop() ?? this.#open(target)
    downstream.begin(owner)
    return downstream
  }

  #open(target: CallTarget): SimulatedDownstream {
    if (++this.#world.downstreams > MAX_DOWNSTREAMS) {
      const atS = Math.round(this.clock.nowMs() / 100) / 10
      const advice = 'give the clients a timeout, or the routes, or offer less'
      throw new CliError(`more than ${MAX_DOWNSTREAMS} calls wait at ${atS}s, which is too much to simulate: ${advice}`)
    }
    return new SimulatedDownstream(this, target)
  }

  /** A connection that can take another call. */
  giveBack(downstream: SimulatedDownstream): void {
    const idle = this.#idle.get(downstream.target)
    if (idle === undefined) this.#idle.set(downstream.target, [downstream])
    else idle.push(downstream)
  }
}
