import type { EndpointPlan } from '../plan/plan.ts'
import type { ConnectionPool } from './connection-pool.ts'

/** One endpoint as it runs. It outlives changes of the endpoint set as long as its address stays. */
export class Host {
  /** `ip:port` or a unix path: what tells hosts apart. */
  readonly key: string
  plan: EndpointPlan
  /** Requests under way, for least request. */
  activeRequests = 0
  /** Total of requests sent here, for the admin page. */
  totalRequests = 0
  /** No longer among the cluster's endpoints: what is under way finishes, nothing new comes. */
  isRemoved = false
  /** Made when the first request comes. */
  pool: ConnectionPool | undefined
  /** HTTP/2's, when the cluster speaks to each client in its own protocol. */
  http2Pool: ConnectionPool | undefined

  constructor(plan: EndpointPlan) {
    this.plan = plan
    this.key = hostKey(plan)
  }

  get connectionCount(): number {
    return (this.pool?.connectionCount ?? 0) + (this.http2Pool?.connectionCount ?? 0)
  }

  /** Closes what is idle, and what is busy when it is done. */
  drain(): void {
    this.pool?.drain()
    this.http2Pool?.drain()
  }
}

export function hostKey(plan: EndpointPlan): string {
  return plan.unixPath === '' ? `${plan.address}:${plan.port}` : plan.unixPath
}
