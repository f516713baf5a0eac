import type { MetricStore } from '../../lib/metrics/store.ts'
import type { Random } from '../../lib/random.ts'
import type { ClusterPlan, EndpointPlan } from '../plan/plan.ts'
import { NO_SECRETS, type Secrets } from '../plan/secret-plan.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'
import { type SslStats, sslStats } from '../tls/stats.ts'
import { serverNameOf } from '../tls/upstream.ts'
import type { Attempt } from './attempt.ts'
import { type BreakerCounts, type BreakerTable, COUNT, type CountKind } from './breaker-counts.ts'
import { ClusterHealth, type ClusterHealthContext } from './cluster-health.ts'
import { type ConnectionContext, ConnectionPool } from './connection-pool.ts'
import { HEALTH_FLAG, type HealthFlag } from './health.ts'
import { Host, hostKey } from './host.ts'
import { type Balancer, createBalancer } from './lb/balancer.ts'
import { ANY_HOST, type HostChoice } from './lb/choice.ts'
import { type HostOutcomes, NO_OUTCOMES } from './outcomes.ts'
import { RawConnections } from './raw-connections.ts'
import { Sockets } from './sockets.ts'
import { type ClusterStats, clusterStats } from './stats.ts'

/** What a cluster needs of the proxy around it. */
export interface UpstreamContext extends ConnectionContext, ClusterHealthContext {
  readonly random: Random
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
  #usable: readonly Host[] = []
  #balancer: Balancer
  #endpoints: readonly EndpointPlan[] | undefined
  isRemoved = false
  readonly #counts: BreakerCounts
  #sockets: Sockets

  constructor(plan: ClusterPlan, context: UpstreamContext, secrets: Secrets = NO_SECRETS) {
    this.plan = plan
    this.#sockets = new Sockets(plan, secrets)
    this.#context = context
    this.#counts = context.breakers.countsOf(plan.name)
    this.stats = clusterStats(context.metrics, plan.name)
    this.sslStats = sslStats(context.metrics, 'cluster', { cluster_name: plan.name })
    this.#balancer = createBalancer(plan, context.random)
    const onOutcomes = (outcomes: HostOutcomes) => {
      this.outcomes = outcomes
    }
    this.health = new ClusterHealth(this, context, onOutcomes, (host) => this.#expire(host))
  }

  get hosts(): Iterable<Host> {
    return this.#hosts.values()
  }

  /** Takes a changed plan over; connections, hosts and counts stay. */
  replacePlan(plan: ClusterPlan, secrets: Secrets = NO_SECRETS): void {
    const rebalance =
      plan.balancing !== this.plan.balancing || plan.leastRequestChoices !== this.plan.leastRequestChoices
    const speaksOther =
      plan.protocol !== this.plan.protocol ||
      plan.tls !== this.plan.tls ||
      plan.socketMatches !== this.plan.socketMatches
    const before = this.plan
    this.plan = plan
    this.#sockets = new Sockets(plan, secrets)
    for (const host of this.#hosts.values()) {
      host.tls = this.#sockets.of(host.plan)
      if (speaksOther) host.dropPools()
    }
    if (rebalance) this.#balancer = createBalancer(plan, this.#context.random)
    this.#rebuild()
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
    host.setHealthFlag(HEALTH_FLAG.pendingRemoval, false)
    host.tls = this.#sockets.of(plan)
    if (speaksOther) host.dropPools()
  }

  /** The best priority that has healthy hosts serves all; with none, all hosts do unless panic is off (threshold 0). */
  #rebuild(): void {
    const all = [...this.#hosts.values()]
    const healthy = all.filter((host) => host.health !== 'unhealthy')
    this.stats.membership_total.set(all.length)
    this.stats.membership_healthy.set(healthy.length)
    const candidates = healthy.length > 0 || this.plan.panicThresholdPercent === 0 ? healthy : all
    const first = Math.min(...candidates.map((host) => host.plan.priority))
    this.#usable = candidates.filter((host) => host.plan.priority === first)
    if (this.#usable.length > 0) this.#balancer.update(this.#usable)
  }

  /** What was found out about a host of this cluster. */
  setHealthFlag(host: Host, flag: HealthFlag, isSet: boolean): void {
    if (host.setHealthFlag(flag, isSet)) this.#rebuild()
  }

  /** undefined when there is no host that may be chosen. */
  pickHost(choice: HostChoice = ANY_HOST): Host | undefined {
    if (this.#usable.length === 0) return undefined
    let host = this.#balancer.pick(choice)
    const { avoid, draws } = choice
    if (avoid === undefined) return host
    for (let i = 0; i < draws && avoid.includes(host); i++) host = this.#balancer.pick(choice)
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
    else this.#poolOf(host, attempt).cancel(attempt)
  }

  #rawOf(host: Host): RawConnections {
    host.raw ??= new RawConnections(this, host, this.#context)
    return host.raw
  }

  #poolOf(host: Host, attempt: Attempt): ConnectionPool {
    const { tls } = host
    const { protocol } = this.plan
    const byClient = protocol === 'downstream'
    // A connection whose peer was checked for one name must not carry requests for another.
    const serverName = tls?.autoSni ? serverNameOf(tls, attempt.authority) : ''
    if (!byClient && serverName === '') {
      host.pool ??= new ConnectionPool(this, host, this.#context, protocol, '')
      return host.pool
    }
    const spoken = byClient ? (attempt.isHttp2 ? 'http2' : 'http1') : protocol
    const key = `${spoken} ${serverName}`
    host.otherPools ??= new Map()
    let pool = host.otherPools.get(key)
    if (pool === undefined) {
      pool = new ConnectionPool(this, host, this.#context, spoken, serverName)
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

  // --- circuit breakers (envoy.config.cluster.v3.CircuitBreakers) ---

  /** What the breakers count, over all threads. */
  total(kind: CountKind): number {
    return this.#counts.total(kind)
  }

  hasRoomForConnection(): boolean {
    return this.#counts.total(COUNT.connections) < this.plan.limits.maxConnections
  }

  countConnection(by: 1 | -1): void {
    this.#counts.add(COUNT.connections, by)
    this.stats.upstream_cx_active.add(by)
  }

  reservePending(): boolean {
    if (this.#counts.total(COUNT.pending) >= this.plan.limits.maxPendingRequests) {
      this.stats.upstream_rq_pending_overflow.inc()
      return false
    }
    this.#counts.add(COUNT.pending, 1)
    this.stats.upstream_rq_pending_total.inc()
    this.stats.upstream_rq_pending_active.inc()
    return true
  }

  releasePending(): void {
    this.#counts.add(COUNT.pending, -1)
    this.stats.upstream_rq_pending_active.dec()
  }

  reserveRequest(host: Host): boolean {
    if (this.#counts.total(COUNT.requests) >= this.plan.limits.maxRequests) {
      this.stats.upstream_rq_pending_overflow.inc()
      return false
    }
    this.countRequest(host)
    return true
  }

  /** Counts one that the limit of requests is not asked for. */
  countRequest(host: Host): void {
    this.#counts.add(COUNT.requests, 1)
    host.countActive(1)
    host.totalRequests++
    this.stats.upstream_rq_total.inc()
    this.stats.upstream_rq_active.inc()
  }

  releaseRequest(host: Host): void {
    this.#counts.add(COUNT.requests, -1)
    host.countActive(-1)
    this.stats.upstream_rq_active.dec()
  }

  reserveRetry(): boolean {
    if (this.#counts.total(COUNT.retries) >= this.plan.limits.maxRetries) {
      this.stats.upstream_rq_retry_overflow.inc()
      return false
    }
    this.#counts.add(COUNT.retries, 1)
    return true
  }

  releaseRetry(): void {
    this.#counts.add(COUNT.retries, -1)
  }
}
