import type { ResponseFlag } from '../../api/response-flags.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import type { TcpProxyPlan } from '../plan/plan.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'

/** What one proxied TCP connection is like, while it lasts and at its end. Times as in CallRecord. */
export class ConnectionRecord {
  readonly plan: TcpProxyPlan
  readonly facts: ConnectionFacts
  readonly startWallMs: number
  readonly startMs: number
  /** The upstream was there. */
  connectedMs = 0
  endMs = 0
  /** Of what the client sent, and got; they grow while the connection lasts. */
  receivedBytes = 0
  sentBytes = 0
  tries = 0
  cluster: Cluster | undefined
  host: Host | undefined
  /** Our end of the upstream's connection, `address:port`, or ''. */
  upstreamLocalAddress = ''
  flag: ResponseFlag | '' = ''

  constructor(plan: TcpProxyPlan, facts: ConnectionFacts, startMs: number, startWallMs: number) {
    this.plan = plan
    this.facts = facts
    this.startMs = startMs
    this.startWallMs = startWallMs
  }

  get durationMs(): number {
    return this.endMs - this.startMs
  }
}
