import type { ClientConnection } from '../http1/client-connection.ts'
import type { Attempt, PoolFailure } from './attempt.ts'
import type { Cluster } from './cluster.ts'
import type { Host } from './host.ts'

/**
 * The HTTP/1.1 connections to one host: one exchange at a time on each, the last used first. Attempts that find none
 * wait in order of arrival. The cluster's circuit breakers bound connections, waiting attempts and exchanges.
 */
export class ConnectionPool {
  readonly cluster: Cluster
  readonly host: Host
  readonly #connections = new Set<ClientConnection>()
  readonly #idle: ClientConnection[] = []
  #waiting: Attempt[] = []
  #connecting = 0

  constructor(cluster: Cluster, host: Host) {
    this.cluster = cluster
    this.host = host
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Gives the attempt a connection now or later, or fails it. */
  request(attempt: Attempt): void {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!connection.isUsable) continue
      this.#start(connection, attempt)
      return
    }
    const { cluster } = this
    if (!cluster.reservePending()) {
      attempt.onPoolFailure('overflow', 'too many requests wait for a connection')
      return
    }
    this.#waiting.push(attempt)
    if (this.#connecting >= this.#waiting.length) return
    // A pool without a connection may always open one, whatever the limit says.
    if (cluster.hasRoomForConnection() || this.#connections.size === 0) this.#connect()
    else cluster.stats.upstream_cx_overflow.inc()
  }

  /** The attempt no longer wants a connection. */
  cancel(attempt: Attempt): void {
    const index = this.#waiting.indexOf(attempt)
    if (index < 0) return
    this.#waiting.splice(index, 1)
    this.cluster.releasePending()
  }

  onConnected(connection: ClientConnection): void {
    this.#connecting--
    this.onIdle(connection)
  }

  onConnectFailed(connection: ClientConnection, reason: PoolFailure, detail: string): void {
    this.#connecting--
    this.#forget(connection)
    // Whoever waits longest bears the failure, and may try another host.
    const attempt = this.#waiting.shift()
    if (attempt === undefined) return
    this.cluster.releasePending()
    attempt.onPoolFailure(reason, detail)
    if (this.#waiting.length > this.#connecting && this.#connections.size === 0) this.#connect()
  }

  /** A connection is free for the next exchange. */
  onIdle(connection: ClientConnection): void {
    const attempt = this.#waiting.shift()
    if (attempt !== undefined) {
      this.cluster.releasePending()
      this.#start(connection, attempt)
    } else if (this.host.isRemoved || this.cluster.isRemoved) connection.close()
    else {
      this.#idle.push(connection)
      connection.noteIdle()
    }
  }

  onClosed(connection: ClientConnection): void {
    this.#forget(connection)
    const index = this.#idle.indexOf(connection)
    if (index >= 0) this.#idle.splice(index, 1)
    if (
      this.#waiting.length > this.#connecting &&
      (this.cluster.hasRoomForConnection() || this.#connections.size === 0)
    ) {
      this.#connect()
    }
  }

  /** Closes what is idle; what is busy closes when its exchange is over (its host or cluster is gone). */
  drain(): void {
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  #start(connection: ClientConnection, attempt: Attempt): void {
    if (this.cluster.reserveRequest(this.host)) connection.start(attempt)
    else {
      this.onIdle(connection)
      attempt.onPoolFailure('overflow', 'too many requests are under way')
    }
  }

  #connect(): void {
    this.#connecting++
    this.cluster.connections++
    this.cluster.stats.upstream_cx_total.inc()
    this.cluster.stats.upstream_cx_active.inc()
    this.#connections.add(this.cluster.openConnection(this))
  }

  #forget(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return
    this.cluster.connections--
    this.cluster.stats.upstream_cx_active.dec()
  }
}
