import type { HeldClock } from '../../lib/clock.ts'
import { Roster } from '../../lib/roster.ts'
import type { TimerWheel } from '../../lib/timer-wheel.ts'
import { ClientConnection } from '../http1/client-connection.ts'
import type { KnownResponse } from '../http1/known-response.ts'
import { ClientSession } from '../http2/client-session.ts'
import { H2, HTTP_1_1, PEER_PROTOCOL } from '../http2/peer-protocol.ts'
import type { ClusterPlan } from '../plan/plan.ts'
import type { BugReporter } from '../stream/bugs.ts'
import type { OutBuffer } from '../stream/out-buffer.ts'
import { verifiedUri } from '../tls/upstream.ts'
import type { Attempt, PoolFailure } from './attempt.ts'
import type { CircuitBreaker } from './circuit-breaker.ts'
import type { Cluster } from './cluster.ts'
import { Connector } from './connector.ts'
import type { Host } from './host.ts'
import type { PooledConnection } from './upstream-stream.ts'
import type { VirtualConnector, Wire } from './wire.ts'

/** What a pool speaks: `auto` is settled by ALPN for each connection. */
export type PoolProtocol = Exclude<ClusterPlan['protocol'], 'downstream'>

/** What connections need of the proxy around them. */
export interface ConnectionContext {
  readonly clock: HeldClock
  readonly wheel: TimerWheel
  readonly out: OutBuffer
  readonly bugs: BugReporter
  /** What connections are made of; undefined for sockets. */
  readonly wire?: Wire
}

/** How many exchanges are expected of an HTTP/2 connection before a peer has said how many it takes. */
const EXPECTED_STREAMS = 100

/**
 * The connections to one host, the last used first. Attempts that find none with room wait in order of arrival. The
 * cluster's circuit breakers bound connections, waiting attempts and exchanges.
 */
export class ConnectionPool {
  readonly cluster: Cluster
  readonly host: Host
  readonly context: ConnectionContext
  /** Of HTTP/1.1, once there was one. */
  knownResponse: KnownResponse | undefined
  readonly breaker: CircuitBreaker
  readonly #connections = new Roster<PooledConnection>()
  readonly #connectors = new Roster<Connector | VirtualConnector>()
  /** Connections whose peer has not said yet what it takes. */
  #unsettledCount = 0
  /** Connections with room; HTTP/1.1 leaves the list while an exchange is under way. */
  readonly #withRoom: PooledConnection[] = []
  readonly #protocol: PoolProtocol
  readonly #serverName: string
  #waiting: Attempt[] = []
  #isDropped = false
  #expectedRoom: number

  /** `serverName` is what the connections ask for by SNI when the cluster takes it from its requests. */
  constructor(
    cluster: Cluster,
    host: Host,
    context: ConnectionContext,
    protocol: PoolProtocol,
    serverName: string,
    breaker: CircuitBreaker,
  ) {
    this.cluster = cluster
    this.breaker = breaker
    this.host = host
    this.context = context
    this.#protocol = protocol
    this.#serverName = serverName
    this.#expectedRoom = protocol === 'http1' && host.tls === undefined ? 1 : EXPECTED_STREAMS
  }

  get connectionCount(): number {
    return this.#connections.size + this.#connectors.size
  }

  get isUnused(): boolean {
    return this.connectionCount === 0 && this.#waiting.length === 0
  }

  /** Gives the attempt a connection now or later, or fails it. */
  request(attempt: Attempt): void {
    const connection = this.#takeConnection()
    if (connection !== undefined) {
      this.#start(connection, attempt)
      return
    }
    const { cluster } = this
    if (!this.breaker.reservePending()) {
      attempt.onPoolFailure('overflow', 'too many requests wait for a connection')
      return
    }
    attempt.waitsIn = this
    this.#waiting.push(attempt)
    if (!this.#wantsConnection) return
    if (this.#mayConnect) this.#connect()
    else cluster.stats.upstream_cx_overflow.inc()
  }

  /** The attempt no longer wants a connection. */
  cancel(attempt: Attempt): void {
    const index = this.#waiting.indexOf(attempt)
    if (index < 0) return
    this.#waiting.splice(index, 1)
    this.#onWaited(attempt)
  }

  #onWaited(attempt: Attempt): void {
    attempt.waitsIn = undefined
    this.breaker.releasePending()
  }

  // === from connectors ===

  onConnected(connector: Connector | VirtualConnector): void {
    this.#connectors.delete(connector)
    if (connector instanceof Connector) this.host.peerUri = verifiedUri(connector.socket) ?? this.host.peerUri
    const isPeer = connector.protocol === PEER_PROTOCOL
    const isHttp2 = isPeer || this.#protocol === 'http2' || (this.#protocol === 'auto' && connector.protocol === H2)
    if (!isHttp2) this.#expectedRoom = 1
    const connection = this.#connectionOf(connector, isHttp2, isPeer)
    this.#connections.add(connection)
    if (isHttp2) {
      connection.isUnsettled = true
      this.#unsettledCount++
    } else this.onRoom(connection)
    this.#connectMore()
  }

  #connectionOf(connector: Connector | VirtualConnector, isHttp2: boolean, isPeer: boolean): PooledConnection {
    if (!(connector instanceof Connector)) return connector.speak(this, isHttp2)
    return isHttp2 ? new ClientSession(this, connector, isPeer) : new ClientConnection(this, connector)
  }

  onConnectFailed(connector: Connector | VirtualConnector, reason: PoolFailure, detail: string): void {
    this.#connectors.delete(connector)
    const { cluster } = this
    cluster.stats.upstream_cx_connect_fail.inc()
    if (reason === 'connect_timeout') cluster.stats.upstream_cx_connect_timeout.inc()
    this.#countClosed()
    this.#failFirst(reason, detail)
    if (this.#wantsConnection && this.connectionCount === 0) this.#connect()
  }

  /** Whoever waits longest bears the failure, and may try another host. */
  #failFirst(reason: PoolFailure, detail: string): void {
    const attempt = this.#waiting.shift()
    if (attempt === undefined) return
    this.#onWaited(attempt)
    attempt.onPoolFailure(reason, detail)
  }

  /** The peer has said how many exchanges it takes at a time. */
  onSettled(connection: PooledConnection, limit: number): void {
    if (!this.#settle(connection)) return
    const { maxRequestsPerConnection } = this.cluster.plan
    this.#expectedRoom = maxRequestsPerConnection > 0 ? Math.min(limit, maxRequestsPerConnection) : limit
    this.onRoom(connection)
    this.#connectMore()
  }

  /** False when it was settled before. */
  #settle(connection: PooledConnection): boolean {
    if (!connection.isUnsettled) return false
    connection.isUnsettled = false
    this.#unsettledCount--
    return true
  }

  /** A connection takes nothing new, but what is under way on it goes on. */
  onUnusable(connection: PooledConnection): void {
    this.#unlist(connection)
  }

  // === from connections ===

  /** A connection can take another exchange. */
  onRoom(connection: PooledConnection): void {
    while (this.#waiting.length > 0 && connection.room > 0) {
      const attempt = this.#waiting.shift() as Attempt
      this.#onWaited(attempt)
      this.#start(connection, attempt)
    }
    if (connection.room === 0 || connection.isListed) return
    if (this.#isDropped || this.host.isRemoved || this.cluster.isRemoved) connection.drain()
    else {
      connection.isListed = true
      this.#withRoom.push(connection)
    }
  }

  onClosed(connection: PooledConnection, detail: string): void {
    if (!this.#connections.delete(connection)) return
    this.#unlist(connection)
    this.#countClosed()
    if (this.#settle(connection)) {
      // It was of no use to anyone: as bad as one that did not come about.
      this.cluster.stats.upstream_cx_connect_fail.inc()
      this.#failFirst('connect_failure', detail)
    }
    this.#connectMore()
  }

  /** Nothing new comes: as drain(), and what is still being opened serves only those who wait for it already. */
  drop(): void {
    this.#isDropped = true
    this.drain()
  }

  /** Closes what is idle; what is busy closes when its exchanges are over (its host or cluster is gone). */
  drain(): void {
    for (const connection of this.#connections) {
      this.#unlist(connection)
      connection.drain()
    }
  }

  get #wantsConnection(): boolean {
    return this.#waiting.length > (this.#connectors.size + this.#unsettledCount) * this.#expectedRoom
  }

  /** HTTP/1.1 over TLS asks whether the other side is one of us, to multiplex it. */
  get #alpnProtocols(): readonly string[] | undefined {
    const { tls } = this.cluster
    if (tls === undefined || this.#protocol !== 'http1') return undefined
    return [PEER_PROTOCOL, ...(tls.alpnProtocols.length > 0 ? tls.alpnProtocols : [HTTP_1_1])]
  }

  #connectMore(): void {
    while (this.#wantsConnection && this.#mayConnect) this.#connect()
  }

  /** A pool without a connection may always open one, whatever the limit says. */
  get #mayConnect(): boolean {
    return this.breaker.hasRoomForConnection(this.host) || this.connectionCount === 0
  }

  #takeConnection(): PooledConnection | undefined {
    const list = this.#withRoom
    for (let last = list.length - 1; last >= 0; last--) {
      const connection = list[last] as PooledConnection
      const { room } = connection
      if (room <= 1) {
        list.pop()
        connection.isListed = false
      }
      if (room > 0) return connection
    }
    return undefined
  }

  #unlist(connection: PooledConnection): void {
    if (!connection.isListed) return
    connection.isListed = false
    this.#withRoom.splice(this.#withRoom.indexOf(connection), 1)
  }

  #start(connection: PooledConnection, attempt: Attempt): void {
    if (this.breaker.reserveRequest(this.host)) {
      connection.start(attempt)
      return
    }
    attempt.onPoolFailure('overflow', 'too many requests are under way')
    this.onRoom(connection)
  }

  #connect(): void {
    const { cluster, host, context } = this
    this.breaker.countConnection(1)
    cluster.stats.upstream_cx_total.inc()
    const target = {
      endpoint: host.plan,
      timeoutMs: cluster.plan.connectTimeoutMs,
      tls: host.tls,
      host: this.#serverName,
      sslStats: cluster.sslStats,
      stats: cluster.stats,
      alpnProtocols: this.#alpnProtocols,
    }
    const { wire, wheel, bugs } = context
    this.#connectors.add(wire === undefined ? new Connector(target, this, wheel, bugs) : wire.connect(target, this))
  }

  #countClosed(): void {
    this.breaker.countConnection(-1)
  }
}
