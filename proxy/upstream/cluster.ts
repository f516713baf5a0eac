import type { HeldClock } from '../../lib/clock.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import type { Random } from '../../lib/random.ts'
import type { ClusterPlan, EndpointPlan } from '../plan/plan.ts'
import { NO_SECRETS, type Secrets } from '../plan/secret-plan.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'
import { SslStats } from '../tls/stats.ts'
import { serverNameOf } from '../tls/upstream.ts'
import type { Attempt } from './attempt.ts'
import type { BreakerCounts, BreakerTable, CountKind } from './breaker-counts.ts'
import { CircuitBreaker, PRIORITY, type Priority } from './circuit-breaker.ts'
import { ClusterHealth, type ClusterHealthContext } from './cluster-health.ts'
import { type ConnectionContext, ConnectionPool } from './connection-pool.ts'
import { HEALTH_FLAG, type HealthFlag } from './health.ts'
import { Host, hostKey } from './host.ts'
import type { HostPicker } from './host-sets/host-sets.ts'
import { Membership } from './host-sets/membership.ts'
import { createPicker, picksAlike } from './host-sets/picker.ts'
import { type Balancers, balancersOf } from './lb/balancer.ts'
import { ANY_HOST, type HostChoice } from './lb/choice.ts'
import type { Latencies } from './lb/latencies.ts'
import { type HostOutcomes, NO_OUTCOMES } from './outcomes.ts'
import { RawConnections } from './raw-connections.ts'
import { Sockets } from './sockets.ts'
import { ClusterStats } from './stats.ts'

/** What a cluster needs of the proxy around it. */
export interface UpstreamContext extends ConnectionContext, ClusterHealthContext {
  readonly random: Random
  readonly clock: HeldClock
  readonly metrics: MetricStore
  readonly breakers: BreakerTable
}

/** Hosts that an ORIGINAL_DST cluster remembers before it looks for idle ones. */
const MAX_ORIGINAL_HOSTS = 1024
/** Pools for single server names that a host keeps before it looks for unused ones. */
const MAX_OTHER_POOLS = 128

function dropUnused(pools: Map<string, ConnectionPool>): void {
  if (pools.size <= MAX_OTHER_POOLS) return
  for (const [key, pool] of pools) if (pool.isUnused) pools.delete(key)
}

/** One cluster as it runs: its hosts, its balancer, its circuit breakers. */
export class Cluster {
  plan: ClusterPlan
  readonly stats: ClusterStats
  readonly sslStats: SslStats
  /** Told how tries at this cluster's hosts end. */
  outcomes: HostOutcomes = NO_OUTCOMES
  readonly health: ClusterHealth
  readonly #context: UpstreamContext
  #hosts = new Map<string, Host>()
  #balancers: Balancers
  #picker: HostPicker
  readonly #membership: Membership
  #endpoints: readonly EndpointPlan[] | undefined
  isRemoved = false
  readonly #counts: BreakerCounts
  /** For requests of priority DEFAULT. */
  readonly breaker: CircuitBreaker
  #highBreaker: CircuitBreaker | undefined
  #sockets: Sockets

  constructor(plan: ClusterPlan, context: UpstreamContext, secrets: Secrets = NO_SECRETS) {
    this.plan = plan
    this.#sockets = new Sockets(plan, secrets)
    this.#context = context
    this.#counts = context.breakers.countsOf(plan.name)
    this.stats = new ClusterStats(context.metrics, plan.name)
    this.sslStats = new SslStats(context.metrics, 'cluster', { cluster_name: plan.name })
    this.breaker = this.#newBreaker(PRIORITY.default)
    this.#membership = new Membership(this.stats)
    this.#balancers = balancersOf(plan.balancing, context)
    this.#picker = createPicker(plan, this.#balancers, context.random, this.stats)
    const onOutcomes = (outcomes: HostOutcomes) => {
      this.outcomes = outcomes
    }
    this.health = new ClusterHealth(this, context, onOutcomes, (host) => this.#expire(host))
  }

  get hosts(): Iterable<Host> {
    return this.#hosts.values()
  }

  /** Takes a changed plan over; hosts and counts stay, and connections unless hosts are called another way. */
  replacePlan(plan: ClusterPlan, secrets: Secrets = NO_SECRETS): void {
    const rebalance = !picksAlike(plan, this.plan)
    const speaksOther = plan.protocol !== this.plan.protocol || plan.socketsKey !== this.plan.socketsKey
    const before = this.plan
    this.plan = plan
    this.breaker.limits = plan.limits
    if (this.#highBreaker !== undefined) this.#highBreaker.limits = plan.highLimits
    this.#sockets = new Sockets(plan, secrets)
    for (const host of this.#hosts.values()) {
      host.tls = this.#sockets.of(host.plan)
      if (speaksOther) host.dropPools()
    }
    if (rebalance) {
      this.#balancers = balancersOf(plan.balancing, this.#context)
      this.#picker = createPicker(plan, this.#balancers, this.#context.random, this.stats)
      this.#rebuild()
    }
    this.health.setPlan(plan, before)
  }

  /** New connections use these; open ones live on. */
  useSecrets(secrets: Secrets): void {
    if (!this.#sockets.useSecrets(secrets)) return
    for (const host of this.#hosts.values()) host.tls = this.#sockets.of(host.plan)
    this.sslStats.context_update_by_sds.inc()
  }

  /** How connections that are not to one of the hosts are secured. */
  get tls(): UpstreamTlsPlan | undefined {
    return this.#sockets.others
  }

  /** How an endpoint is called. */
  tlsOf(endpoint: EndpointPlan): UpstreamTlsPlan | undefined {
    return this.#sockets.of(endpoint)
  }

  /** Every way in which hosts may be called by TLS. */
  get tlsPlans(): readonly UpstreamTlsPlan[] {
    return this.#sockets.plans
  }

  /** Takes a list of endpoints over unless it is the very list that is served already. */
  setEndpointsOnce(endpoints: readonly EndpointPlan[]): void {
    if (endpoints === this.#endpoints) return
    this.#endpoints = endpoints
    this.#setEndpoints(endpoints)
  }

  /** A host that stays keeps its connections and counts; one that goes drains. */
  #setEndpoints(endpoints: readonly EndpointPlan[]): void {
    const hosts = new Map<string, Host>()
    for (const plan of endpoints) {
      const key = hostKey(plan)
      if (hosts.has(key)) continue
      const host = this.#hosts.get(key) ?? new Host(plan)
      this.#setPlan(host, plan)
      hosts.set(key, host)
    }
    for (const [key, host] of this.#hosts) {
      if (hosts.has(key)) continue
      if (this.health.keeps(host)) {
        host.setHealthFlag(HEALTH_FLAG.pendingRemoval, true)
        hosts.set(key, host)
      } else this.#drop(host)
    }
    const fresh = [...hosts.values()].filter(({ key }) => !this.#hosts.has(key))
    this.#hosts = hosts
    for (const host of fresh) this.health.add(host)
    this.health.count()
    this.stats.membership_change.inc()
    this.#rebuild()
  }

  #drop(host: Host): void {
    host.isRemoved = true
    this.health.remove(host)
    host.drain()
  }

  /** A host that was kept only while it was well. */
  #expire(host: Host): void {
    this.#hosts.delete(host.key)
    this.#drop(host)
    this.health.count()
    this.stats.membership_change.inc()
    this.#rebuild()
  }

  /** A host that is to be called another way gets new connections. */
  #setPlan(host: Host, plan: EndpointPlan): void {
    const speaksOther = !this.#sockets.areAlike(host.plan, plan)
    host.plan = plan
    host.setHealthFlag(HEALTH_FLAG.failedEds, !plan.healthy)
    host.setHealthFlag(HEALTH_FLAG.degradedEds, plan.degraded)
    host.setHealthFlag(HEALTH_FLAG.pendingRemoval, false)
    host.tls = this.#sockets.of(plan)
    if (speaksOther) host.dropPools()
  }

  #rebuild(): void {
    const hosts = [...this.#hosts.values()]
    this.#membership.count(hosts)
    this.#picker.setHosts(hosts)
  }

  /** What was found out about a host of this cluster. */
  setHealthFlag(host: Host, flag: HealthFlag, isSet: boolean): void {
    const { health } = host
    // What clients meant by an address is not chosen, whatever its health.
    if (!host.setHealthFlag(flag, isSet) || host.isRemoved || this.plan.discovery === 'original_dst') return
    this.#membership.move(health, host.health)
    this.#picker.onHealthChange(host)
  }

  /** Who wants to know how long tries take; mostly nobody. */
  get latencies(): Latencies | undefined {
    return this.#balancers.latencies
  }

  /** undefined when there is no host that may be chosen. */
  pickHost(choice: HostChoice = ANY_HOST): Host | undefined {
    let host = this.#picker.pick(choice)
    const { avoid, draws } = choice
    if (avoid === undefined) return host
    for (let i = 0; i < draws && host !== undefined && avoid.includes(host); i++) {
      host = this.#picker.pick(choice, i + 1)
    }
    return host
  }

  /**
   * The host at the address that a client meant (ORIGINAL_DST clusters): made when it is first asked for, and forgotten
   * when others take its place and nothing is open to it.
   */
  hostAt(endpoint: EndpointPlan): Host {
    const key = hostKey(endpoint)
    let host = this.#hosts.get(key)
    if (host === undefined) {
      if (this.#hosts.size >= MAX_ORIGINAL_HOSTS) {
        for (const [other, { connectionCount }] of this.#hosts) if (connectionCount === 0) this.#hosts.delete(other)
      }
      host = new Host(endpoint)
      host.tls = this.#sockets.of(endpoint)
      this.#hosts.set(key, host)
    }
    return host
  }

  send(host: Host, attempt: Attempt): void {
    if (attempt.isRaw) this.#rawOf(host).open(attempt)
    else this.#poolOf(host, attempt).request(attempt)
  }

  /** The attempt no longer wants the connection that it waits for. */
  cancel(host: Host, attempt: Attempt): void {
    if (attempt.isRaw) this.#rawOf(host).cancel(attempt)
    else attempt.waitsIn?.cancel(attempt)
  }

  #rawOf(host: Host): RawConnections {
    host.raw ??= new RawConnections(this, host, this.#context)
    return host.raw
  }

  #poolOf(host: Host, attempt: Attempt): ConnectionPool {
    const { tls } = host
    const { protocol } = this.plan
    const { priority } = attempt
    const byClient = protocol === 'downstream'
    // A connection whose peer was checked for one name must not carry requests for another.
    const serverName = tls?.autoSni ? serverNameOf(tls, attempt.authority) : ''
    if (!byClient && serverName === '' && priority === PRIORITY.default) {
      host.pool ??= new ConnectionPool(this, host, this.#context, protocol, '', this.breaker)
      return host.pool
    }
    const spoken = byClient ? (attempt.isHttp2 ? 'http2' : 'http1') : protocol
    const key = priority === PRIORITY.default ? `${spoken} ${serverName}` : `${spoken} ${serverName} high`
    host.otherPools ??= new Map()
    let pool = host.otherPools.get(key)
    if (pool === undefined) {
      pool = new ConnectionPool(this, host, this.#context, spoken, serverName, this.breakerOf(priority))
      host.otherPools.set(key, pool)
      dropUnused(host.otherPools)
    }
    return pool
  }

  /** The cluster is gone from the plan: idle connections close, busy ones when they are done. */
  remove(): void {
    this.isRemoved = true
    this.health.close()
    for (const host of this.#hosts.values()) {
      host.isRemoved = true
      host.drain()
    }
  }

  /** What the breakers of priority DEFAULT count, over all threads. */
  total(kind: CountKind): number {
    return this.breaker.total(kind)
  }

  breakerOf(priority: Priority): CircuitBreaker {
    if (priority === PRIORITY.default) return this.breaker
    this.#highBreaker ??= this.#newBreaker(priority)
    return this.#highBreaker
  }

  #newBreaker(priority: Priority): CircuitBreaker {
    const { breakers, wheel, metrics } = this.#context
    const limits = priority === PRIORITY.high ? this.plan.highLimits : this.plan.limits
    return new CircuitBreaker(
      limits,
      priority,
      this.#counts,
      this.stats,
      wheel,
      breakers.threads,
      metrics,
      this.plan.name,
    )
  }
}
