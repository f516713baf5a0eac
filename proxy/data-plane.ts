import { type Clock, HeldClock, systemClock } from '../lib/clock.ts'
import { errorText } from '../lib/errors.ts'
import { systemEventLoop } from '../lib/event-loop.ts'
import { createLogger, type Logger } from '../lib/log.ts'
import { MetricStore } from '../lib/metrics/store.ts'
import { type Random, systemRandom } from '../lib/random.ts'
import { originalDestinationError } from '../lib/sockets/original-destination.ts'
import { followReads, type ReadFollower } from '../lib/sockets/socket-poll.ts'
import { TimerWheel } from '../lib/timer-wheel.ts'
import type { Surroundings } from './decide/surroundings.ts'
import { ConnectionBudget } from './listener/budget.ts'
import { Listener, type ListenerDirectory } from './listener/listener.ts'
import { NO_NODE, type NodeFacts } from './node-facts.ts'
import { type MemoryPressure, memoryReader, OverloadMonitor } from './overload-monitor.ts'
import { type ClusterPlan, EMPTY_PLAN, type ListenerPlan, type Plan } from './plan/plan.ts'
import { tlsBySecrets } from './plan/secret-needs.ts'
import { PreparedFilters } from './prepared-filters.ts'
import { BugReporter } from './stream/bugs.ts'
import type { StreamContext } from './stream/context.ts'
import { DateHeader } from './stream/date.ts'
import type { HeaderBlock } from './stream/header-block.ts'
import { OutBuffer } from './stream/out-buffer.ts'
import { RequestIds } from './stream/request-ids.ts'
import { TURN_WAIT_US, TurnPacer } from './stream/turn-pacer.ts'
import { type SurroundingsOptions, surroundingsOf } from './surroundings.ts'
import { Telemetry } from './telemetry/telemetry.ts'
import { type BreakerCounts, type BreakerTable, COUNT, ownBreakerTable } from './upstream/breaker-counts.ts'
import { Cluster, type UpstreamContext } from './upstream/cluster.ts'
import { DnsRefresher } from './upstream/dns.ts'
import { type HostTable, OwnHostTable } from './upstream/host-table/host-table.ts'
import { HostWatch } from './upstream/host-watch.ts'

/** Of all threads of a process together. */
const MAX_SERIES = 10_000

/** Of the event loop, for sockets that were destroyed to close. */
const MAX_CLOSING_TURNS = 100

export interface DataPlaneOptions extends SurroundingsOptions {
  clock?: Clock
  random?: Random
  log?: Logger
  metrics?: MetricStore
  /** Where circuit breakers count: by default in this thread only. */
  breakers?: BreakerTable
  /** Where is kept what is found out about hosts: by default in this thread only. */
  hosts?: HostTable
  /** How full memory is; by default, that of this process. */
  readMemory?: () => MemoryPressure
  /** Who this proxy says that it is. */
  node?: NodeFacts
  /** How many series all threads together may make of what calls say of themselves. */
  maxSeries?: number | undefined
  /** How long turns of a thread with many calls under way may wait for more of them; 0 for never. */
  turnWaitUs?: number | undefined
  /** Other threads listen on the same addresses. */
  sharesPorts?: boolean
  /** How many connections all listeners may hold together; no bound when absent. */
  maxDownstreamConnections?: number | undefined
}

/**
 * The data plane as it runs: listeners, clusters and the plan between them. Whoever brings configuration (a bootstrap
 * file, an xDS stream, a test) compiles it into a Plan and hands it to setPlan().
 */
export class DataPlane implements StreamContext, UpstreamContext, ListenerDirectory, ReadFollower {
  readonly clock: HeldClock
  readonly random: Random
  readonly wheel: TimerWheel
  readonly date: DateHeader
  readonly out: OutBuffer
  readonly metrics: MetricStore
  readonly bugs: BugReporter
  readonly overload: OverloadMonitor
  readonly budget: ConnectionBudget
  readonly breakers: BreakerTable
  readonly hosts: HostTable
  readonly sharesPorts: boolean
  readonly around: Surroundings
  readonly telemetry: Telemetry
  readonly #faults: BreakerCounts
  plan: Plan = EMPTY_PLAN
  readonly log: Logger
  readonly #clusters = new Map<string, Cluster>()
  /** Which somebody asked for last, who is mostly asked for next. */
  #lastCluster: Cluster | undefined
  readonly #listeners = new Map<string, Listener>()
  /** By `address port`, for connections that are handed over. */
  #listenersByAddress = new Map<string, Listener>()
  readonly #dns: DnsRefresher
  readonly #hostWatch: HostWatch
  readonly #filters: PreparedFilters
  readonly #requestIds = new RequestIds()
  readonly #ignored = new Set<string>()
  readonly #unverified = new Set<string>()
  readonly #unfollowReads: () => void
  #isBlind = false
  #isDraining = false

  constructor(options: DataPlaneOptions = {}) {
    this.clock = new HeldClock(options.clock ?? systemClock)
    this.random = options.random ?? systemRandom
    this.metrics = options.metrics ?? new MetricStore()
    this.log = options.log ?? createLogger('proxy')
    this.bugs = new BugReporter(this.metrics, this.log)
    this.breakers = options.breakers ?? ownBreakerTable
    this.hosts = options.hosts ?? new OwnHostTable(this.clock)
    this.#hostWatch = new HostWatch(this.clock, this.hosts, () => this.#clusters.values())
    this.sharesPorts = options.sharesPorts ?? false
    this.budget = new ConnectionBudget(
      options.maxDownstreamConnections ?? Number.POSITIVE_INFINITY,
      // No cluster can have this name.
      this.breakers.countsOf('\0listeners'),
    )
    this.#faults = this.breakers.countsOf('\0faults')
    this.around = surroundingsOf(options, this, this.#faults)
    this.overload = new OverloadMonitor(this.clock, this.log, this.metrics, options.readMemory ?? memoryReader())
    this.out = new OutBuffer(this.#pacer(options.turnWaitUs ?? TURN_WAIT_US))
    this.wheel = new TimerWheel(this.clock)
    this.date = new DateHeader(this.clock)
    this.#dns = new DnsRefresher(this.clock, this.log)
    this.#filters = new PreparedFilters(this)
    this.telemetry = new Telemetry(
      this,
      options.node ?? NO_NODE,
      Math.floor((options.maxSeries ?? MAX_SERIES) / this.breakers.threads),
    )
    this.#unfollowReads = followReads(this)
  }

  beforeReads(): void {
    this.clock.hold()
    this.out.beginTurn()
  }

  afterReads(): void {
    this.clock.release()
    this.out.endTurn()
  }

  #pacer(waitUs: number): TurnPacer {
    if (waitUs === 0) return new TurnPacer()
    const waits = this.metrics.counter('server.turn_waits')
    return new TurnPacer({ clock: this.clock, loop: systemEventLoop, waitMs: waitUs / 1000, waits })
  }

  addActiveFault(by: 1 | -1): void {
    this.#faults.add(COUNT.requests, by)
  }

  addRequestId(head: HeaderBlock): void {
    this.#requestIds.addTo(head)
  }

  cluster(name: string): Cluster | undefined {
    if (name !== this.#lastCluster?.plan.name) this.#lastCluster = this.#clusters.get(name)
    return this.#lastCluster
  }

  get clusters(): ReadonlyMap<string, Cluster> {
    return this.#clusters
  }

  get listeners(): ReadonlyMap<string, Listener> {
    return this.#listeners
  }

  listenerOf(address: string, port: number): Listener | undefined {
    const byAddress = this.#listenersByAddress
    const exact = byAddress.get(`${address} ${port}`)
    const anywhere = address.includes(':') ? undefined : byAddress.get(`0.0.0.0 ${port}`)
    // `::` stands for both families.
    return exact ?? anywhere ?? byAddress.get(`:: ${port}`)
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /**
   * Switches to a new plan: clusters first, then the plan itself in one assignment, then listeners, and only then
   * are clusters dropped that it no longer has. Resolves when new listeners listen. A listener whose address cannot be
   * had is reported by name; the others are served.
   */
  async setPlan(plan: Plan): Promise<readonly ListenerFailure[]> {
    this.#reportIgnored(plan)
    for (const clusterPlan of plan.clusters.values()) this.#setCluster(clusterPlan, plan)
    this.telemetry.setPlan(plan)
    this.plan = plan
    this.#filters.setPlan(plan)
    const failures = await this.#setListeners(plan)
    for (const [name, cluster] of this.#clusters) {
      if (this.plan.clusters.has(name)) continue
      this.#clusters.delete(name)
      if (cluster === this.#lastCluster) this.#lastCluster = undefined
      this.#dns.stop(cluster)
      cluster.remove()
    }
    return failures
  }

  /** Says once of each field that it is not honoured, with the first resource that has it. */
  #reportIgnored(plan: Plan): void {
    const report = (type: string, name: string, fields: readonly string[]) => {
      for (const field of fields) {
        if (this.#ignored.has(`${type} ${field}`)) continue
        this.#ignored.add(`${type} ${field}`)
        this.log.warning('a field is not honoured yet; serving without it', { type, field, first: name })
      }
    }
    for (const cluster of plan.clusters.values()) {
      report('cluster', cluster.name, cluster.ignored)
    }
    for (const listener of plan.listeners.values()) {
      report('listener', listener.name, listener.ignored)
      this.#reportBlind(listener)
    }
    for (const secret of plan.secrets.values()) report('secret', secret.name, secret.ignored)
    for (const routes of plan.routeConfigs.values()) {
      report('route configuration', routes.name, routes.ignored)
      for (const host of routes.virtualHosts) report('virtual host', host.name, host.ignored)
    }
    this.metrics.gauge('server.fields_not_honoured', {}, 'same').set(this.#ignored.size)
  }

  /** Says once of each cluster that whoever answers for it is believed to be it. */
  #reportUnverified({ plan: { name }, tlsPlans }: Cluster): void {
    const isUnverified = tlsPlans.some((tls) => tls.context !== undefined && !tls.peer.verifiesChain)
    if (!isUnverified || this.#unverified.has(name)) return
    this.#unverified.add(name)
    this.log.warning('upstream certificates are not verified: no trusted_ca is set', { cluster: name })
  }

  /** Says once that original destinations are asked for and cannot be had on this machine. */
  #reportBlind({ name, listenerFilters }: ListenerPlan): void {
    if (this.#isBlind || !listenerFilters.some((filter) => filter.kind === 'original_dst')) return
    const error = originalDestinationError()
    if (error === undefined) return
    this.#isBlind = true
    this.log.error('redirected connections stay at the listener that accepts them', { listener: name, error })
  }

  #setCluster(clusterPlan: ClusterPlan, plan: Plan): void {
    const { name, discovery, edsServiceName } = clusterPlan
    let cluster = this.#clusters.get(name)
    const planChanged = cluster?.plan !== clusterPlan
    if (cluster === undefined) {
      cluster = new Cluster(clusterPlan, this, plan.secrets)
      this.#clusters.set(name, cluster)
    } else if (planChanged) cluster.replacePlan(clusterPlan, plan.secrets)
    else cluster.useSecrets(plan.secrets)
    this.#reportUnverified(cluster)
    if (discovery === 'eds') cluster.setEndpointsOnce(plan.endpoints.get(edsServiceName) ?? [])
    else if (discovery === 'strict_dns' || discovery === 'logical_dns') {
      if (planChanged) this.#dns.start(cluster)
    } else if (planChanged) cluster.setEndpointsOnce(clusterPlan.endpoints)
  }

  async #setListeners(plan: Plan): Promise<ListenerFailure[]> {
    const failures: ListenerFailure[] = []
    for (const [name, listener] of this.#listeners) {
      const wanted = plan.listeners.get(name)
      if (wanted !== undefined && isSameSocket(wanted, listener.plan)) continue
      listener.drain()
      this.#listeners.delete(name)
    }
    const opening: Promise<void>[] = []
    for (const [name, listenerPlan] of plan.listeners) {
      const running = this.#listeners.get(name)
      if (running !== undefined) {
        running.plan = listenerPlan
        running.useSecrets(plan.secrets)
      } else if (!this.#isDraining) {
        // Made now, and not by the first handshake.
        for (const tls of tlsBySecrets(listenerPlan)) tls.of(plan.secrets)
        const listener = new Listener(listenerPlan, this, this, this.metrics, this.log)
        this.#listeners.set(name, listener)
        if (!listenerPlan.bindToPort) continue
        opening.push(
          listener.open().catch((thrown) => {
            this.#listeners.delete(name)
            this.#indexListeners()
            failures.push({ listener: name, reason: errorText(thrown) })
            this.log.error('cannot listen', { listener: name, error: errorText(thrown) })
          }),
        )
      }
    }
    this.#indexListeners()
    await Promise.all(opening)
    return failures
  }

  #indexListeners(): void {
    const all = [...this.#listeners.values()]
    this.#listenersByAddress = new Map(
      all.map((listener) => [`${listener.plan.address} ${listener.plan.port}`, listener]),
    )
  }

  /** Stops accepting and lets requests finish; resolves when no connection is left or the deadline has passed. */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true
    const endMs = this.clock.nowMs() + deadlineMs
    for (const listener of this.#listeners.values()) listener.drain(deadlineMs / 2)
    while (this.connectionCount > 0 && this.clock.nowMs() < endMs) {
      await new Promise<void>((resolve) => this.clock.setTimer(20, resolve))
    }
  }

  get connectionCount(): number {
    let count = 0
    for (const listener of this.#listeners.values()) count += listener.connectionCount
    return count
  }

  /**
   * Cuts what drain() has left, and closes once servers of logs and spans have what is held for them, or have not taken it in a
   * second.
   */
  async end(): Promise<void> {
    for (const listener of this.#listeners.values()) listener.close()
    // What was cut ends, and is told of, when its socket says that it is closed: some turns of the loop later.
    for (let turns = 0; this.connectionCount > 0 && turns < MAX_CLOSING_TURNS; turns++) {
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
    await this.telemetry.flush()
    this.close()
  }

  /** At once. */
  close(): void {
    this.#isDraining = true
    this.overload.close()
    this.#hostWatch.close()
    this.#filters.close()
    for (const listener of this.#listeners.values()) listener.close()
    for (const cluster of this.#clusters.values()) {
      this.#dns.stop(cluster)
      cluster.remove()
    }
    this.telemetry.close()
    this.#unfollowReads()
  }
}

export interface ListenerFailure {
  listener: string
  reason: string
}

function isSameSocket(a: ListenerPlan, b: ListenerPlan): boolean {
  return a.address === b.address && a.port === b.port && a.bindToPort === b.bindToPort
}
