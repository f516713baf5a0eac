import type { ResponseFlag } from '../../api/response-flags.ts'
import type { ConnectionFacts } from '../decide/connection-facts.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'

/** What one connection is like, proxied as such or only observed, while it lasts and at its end. Times as in CallRecord. */
export class ConnectionRecord {
  readonly isCall = false
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
  /** Why it was ended, where it was: what Envoy says as the details of a response code. */
  detail = ''

  constructor(facts: ConnectionFacts, startMs: number, startWallMs: number) {
    this.facts = facts
    this.startMs = startMs
    this.startWallMs = startWallMs
  }

  get durationMs(): number {
    return this.endMs - this.startMs
  }
}
