import type { EndpointPlan } from '../plan/plan.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'
import type { ConnectionPool } from './connection-pool.ts'
import { HEALTH_FLAG, type Health, type HealthFlag, healthOf } from './health.ts'
import type { HostRecord } from './host-table/host-record.ts'
import type { RawConnections } from './raw-connections.ts'

/** One endpoint as it runs. It outlives changes of the endpoint set as long as its address stays. */
export class Host {
  /** `ip:port` or a unix path: what tells hosts apart. */
  readonly key: string
  plan: EndpointPlan
  /** How new connections are secured, by the cluster's plan and the secrets of now; undefined for plain text. */
  tls: UpstreamTlsPlan | undefined
  /** Bits of HEALTH_FLAG. */
  healthFlags = 0
  /** The first URI in the certificate that it showed last, verified; '' where none was. */
  peerUri = ''
  /** Requests of this thread that are under way. */
  ownActiveRequests = 0
  /** What is found out about it, where anybody looks. */
  record: HostRecord | undefined
  /** When it was first seen healthy after it was not, or after it came; undefined where nobody needs to know. */
  healthySinceMs: number | undefined
  /** Total of requests sent here, for the admin page. */
  totalRequests = 0
  /** No longer among the cluster's endpoints: what is under way finishes, nothing new comes. */
  isRemoved = false
  /** Made when the first request comes. */
  pool: ConnectionPool | undefined
  /** Pools for other protocols or server names than the first, by both. */
  otherPools: Map<string, ConnectionPool> | undefined
  /** Pools that others took the place of, and that were in use then. */
  #dropped: ConnectionPool[] = []
  /** The connections of tunnels that end here, made when the first comes. */
  raw: RawConnections | undefined
  /** What the access log keeps of the host; undefined before it has. */
  logNote: object | undefined

  constructor(plan: EndpointPlan) {
    this.plan = plan
    this.key = hostKey(plan)
    this.setHealthFlag(HEALTH_FLAG.failedEds, !plan.healthy)
    this.setHealthFlag(HEALTH_FLAG.degradedEds, plan.degraded)
  }

  get health(): Health {
    return healthOf(this.healthFlags)
  }

  /** Whether its health has become another by it. */
  setHealthFlag(flag: HealthFlag, isSet: boolean): boolean {
    const { health } = this
    this.healthFlags = isSet ? this.healthFlags | flag : this.healthFlags & ~flag
    if (this.health !== 'healthy') this.healthySinceMs = undefined
    return this.health !== health
  }

  /** Requests under way over all threads, for least request. */
  get activeRequests(): number {
    const active = this.record?.active
    return active === undefined ? this.ownActiveRequests : active.total
  }

  /** For a host that no other thread has. */
  set activeRequests(count: number) {
    this.ownActiveRequests = count
  }

  countActive(by: 1 | -1): void {
    this.ownActiveRequests += by
    this.record?.active?.add(by)
  }

  get connectionCount(): number {
    let count = (this.pool?.connectionCount ?? 0) + (this.raw?.connectionCount ?? 0)
    for (const pool of this.otherPools?.values() ?? []) count += pool.connectionCount
    for (const pool of this.#dropped) count += pool.connectionCount
    return count
  }

  /** Closes what is idle, and what is busy when it is done. Tunnels go on until one of their ends has enough. */
  drain(): void {
    this.pool?.drain()
    for (const pool of this.otherPools?.values() ?? []) pool.drain()
  }

  /** As drain(); what comes afterwards gets other pools. */
  dropPools(): void {
    const pools = [...this.#dropped, ...(this.pool ? [this.pool] : []), ...(this.otherPools?.values() ?? [])]
    for (const pool of pools) pool.drop()
    this.#dropped = pools.filter((pool) => !pool.isUnused)
    this.pool = undefined
    this.otherPools = undefined
  }
}

export function hostKey(plan: EndpointPlan): string {
  return plan.unixPath === '' ? `${plan.address}:${plan.port}` : plan.unixPath
}
