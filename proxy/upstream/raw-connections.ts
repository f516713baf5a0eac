import { RawStream } from '../tcp/raw-stream.ts'
import type { Attempt, PoolFailure } from './attempt.ts'
import type { Cluster } from './cluster.ts'
import type { ConnectionContext } from './connection-pool.ts'
import type { Host } from './host.ts'

/**
 * The connections to one host that carry the bytes of one tunnel each: opened for it, and never used again. The cluster's
 * limit of connections counts them with those of the pools, and its limit of waiting requests those that are being opened.
 */
export class RawConnections {
  readonly cluster: Cluster
  readonly host: Host
  readonly context: ConnectionContext
  readonly #opening = new Map<Attempt, RawStream>()
  /** Open or being opened. */
  connectionCount = 0

  constructor(cluster: Cluster, host: Host, context: ConnectionContext) {
    this.cluster = cluster
    this.host = host
    this.context = context
  }

  /** Opens a connection for the attempt, or fails it. */
  open(attempt: Attempt): void {
    const { cluster } = this
    const { breaker } = cluster
    if (!breaker.hasRoomForConnection(this.host)) {
      cluster.stats.upstream_cx_overflow.inc()
      attempt.onPoolFailure('overflow', 'too many connections')
    } else if (!breaker.reservePending()) {
      attempt.onPoolFailure('overflow', 'too many requests wait for a connection')
    } else {
      this.connectionCount++
      breaker.countConnection(1)
      cluster.stats.upstream_cx_total.inc()
      this.#opening.set(attempt, new RawStream(this, attempt))
    }
  }

  /** The attempt no longer wants the connection that is being opened for it. */
  cancel(attempt: Attempt): void {
    const stream = this.#opening.get(attempt)
    if (stream === undefined) return
    this.#onSettled(attempt)
    stream.cancel()
    this.onClosed()
  }

  // === from the streams ===

  onConnected(attempt: Attempt): void {
    this.#onSettled(attempt)
    this.cluster.breaker.countRequest(this.host)
  }

  onConnectFailed(attempt: Attempt, reason: PoolFailure, detail: string): void {
    const { stats } = this.cluster
    stats.upstream_cx_connect_fail.inc()
    if (reason === 'connect_timeout') stats.upstream_cx_connect_timeout.inc()
    this.#onSettled(attempt)
    this.onClosed()
    attempt.onPoolFailure(reason, detail)
  }

  onClosed(): void {
    this.connectionCount--
    this.cluster.breaker.countConnection(-1)
  }

  #onSettled(attempt: Attempt): void {
    this.#opening.delete(attempt)
    this.cluster.breaker.releasePending()
  }
}
