import type { Clock } from '../../../lib/clock.ts'
import { WheelTimer } from '../../../lib/timer-wheel.ts'
import { parseResponseHead } from '../../../proxy/http1/response-parser.ts'
import { ResponseHead } from '../../../proxy/stream/message.ts'
import type { Attempt } from '../../../proxy/upstream/attempt.ts'
import type { ConnectionPool } from '../../../proxy/upstream/connection-pool.ts'
import type { ConnectTarget } from '../../../proxy/upstream/connector.ts'
import type { PooledConnection, UpstreamStream } from '../../../proxy/upstream/upstream-stream.ts'
import type { VirtualConnector, Wire } from '../../../proxy/upstream/wire.ts'
import type { Arrival, Endpoint } from './endpoint.ts'

const ENDED = new Map<number, Buffer>()

/** The head of an answer with this status, without content. */
function answerBytes(status: number): Buffer {
  let bytes = ENDED.get(status)
  if (bytes === undefined) {
    bytes = Buffer.from(`HTTP/1.1 ${status} Simulated\r\ncontent-length: 0\r\n\r\n`, 'latin1')
    ENDED.set(status, bytes)
  }
  return bytes
}

/** Between proxies and endpoints: takes the place of sockets. */
export class Network implements Wire {
  readonly clock: Clock
  /** One way. */
  readonly latencyMs: number
  /** Answers come one at a time, and nobody keeps their head. */
  readonly head = new ResponseHead()
  readonly #endpoints = new Map<string, Endpoint>()

  constructor(clock: Clock, latencyMs: number) {
    this.clock = clock
    this.latencyMs = latencyMs
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.set(endpoint.address, endpoint)
  }

  connect(target: ConnectTarget, pool: ConnectionPool): VirtualConnector {
    return new Connecting(this, this.#endpoints.get(target.endpoint.address), target.timeoutMs, pool)
  }
}

class Connecting implements VirtualConnector {
  rosterIndex = -1
  readonly protocol = ''
  readonly #network: Network
  readonly #endpoint: Endpoint | undefined

  constructor(network: Network, endpoint: Endpoint | undefined, timeoutMs: number, pool: ConnectionPool) {
    this.#network = network
    this.#endpoint = endpoint
    const { clock, latencyMs } = network
    const outcome = endpoint?.onConnect() ?? 'refuse'
    const timesOut = outcome === 'blackhole' || 2 * latencyMs > timeoutMs
    clock.setTimer(timesOut ? timeoutMs : 2 * latencyMs, () => {
      if (timesOut) pool.onConnectFailed(this, 'connect_timeout', 'connection timeout')
      else if (outcome === 'accept') pool.onConnected(this)
      else pool.onConnectFailed(this, 'connect_failure', 'connection refused')
    })
  }

  speak(pool: ConnectionPool, isHttp2: boolean): PooledConnection {
    const connection = new Connection(this.#network, this.#endpoint as Endpoint, pool, isHttp2)
    // The peer says at once how many exchanges it takes.
    if (isHttp2) this.#network.clock.setTimer(0, () => connection.settle())
    return connection
  }
}

/** An open connection: one exchange at a time, or many. */
class Connection implements PooledConnection {
  rosterIndex = -1
  isListed = false
  isUnsettled = false
  readonly network: Network
  readonly endpoint: Endpoint
  readonly pool: ConnectionPool
  readonly isHttp2: boolean
  readonly #streams = new Set<Stream>()
  #exchanges = 0
  #isDraining = false
  #idleSinceMs: number
  readonly #idleTimer = new WheelTimer(() => this.#onIdleTimer())
  isClosed = false

  constructor(network: Network, endpoint: Endpoint, pool: ConnectionPool, isHttp2: boolean) {
    this.network = network
    this.endpoint = endpoint
    this.pool = pool
    this.isHttp2 = isHttp2
    const { wheel } = pool.context
    this.#idleSinceMs = wheel.coarseNowMs
    const { idleTimeoutMs } = pool.cluster.plan
    if (idleTimeoutMs > 0) wheel.arm(this.#idleTimer, idleTimeoutMs)
  }

  /** As real connections: not touched for each exchange, it looks when it fires how long nothing was done. */
  #onIdleTimer(): void {
    const { context, cluster } = this.pool
    const { idleTimeoutMs } = cluster.plan
    if (idleTimeoutMs === 0) return
    const idleForMs = this.#streams.size === 0 ? context.wheel.coarseNowMs - this.#idleSinceMs : 0
    if (idleForMs < idleTimeoutMs) context.wheel.arm(this.#idleTimer, idleTimeoutMs - idleForMs)
    else this.close()
  }

  settle(): void {
    if (!this.isClosed) this.pool.onSettled(this, this.pool.cluster.plan.maxConcurrentStreams)
  }

  get room(): number {
    if (this.isClosed || this.#isDraining || this.#isSpent) return 0
    const { maxConcurrentStreams, maxRequestsPerConnection } = this.pool.cluster.plan
    const most = this.isHttp2 ? maxConcurrentStreams : 1
    const left = maxRequestsPerConnection > 0 ? maxRequestsPerConnection - this.#exchanges : most
    return Math.max(0, Math.min(most - this.#streams.size, left))
  }

  get #isSpent(): boolean {
    const { maxRequestsPerConnection } = this.pool.cluster.plan
    return maxRequestsPerConnection > 0 && this.#exchanges >= maxRequestsPerConnection
  }

  start(attempt: Attempt): void {
    this.#exchanges++
    const stream = new Stream(this, attempt, this.#exchanges > 1)
    this.#streams.add(stream)
    if (this.#isSpent) this.pool.cluster.stats.upstream_cx_max_requests.inc()
    attempt.onStream(stream)
  }

  drain(): void {
    this.#isDraining = true
    if (this.#streams.size === 0) this.close()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.pool.context.wheel.disarm(this.#idleTimer)
    // As with sockets, the pool hears of it when the call is over.
    this.network.clock.setTimer(0, () => this.#onClosed())
  }

  #onClosed(): void {
    const { pool } = this
    const open = [...this.#streams]
    for (const stream of open) {
      stream.isAbandoned = true
      this.detach(stream)
    }
    pool.onClosed(this, 'connection termination')
    for (const stream of open) {
      pool.cluster.stats.upstream_rq_rx_reset.inc()
      stream.attempt.onReset('reset', 'connection termination')
    }
  }

  /** The exchange is over, whoever ended it. */
  detach(stream: Stream): void {
    if (!this.#streams.delete(stream)) return
    this.#idleSinceMs = this.pool.context.wheel.coarseNowMs
    this.pool.breaker.releaseRequest(this.pool.host)
  }

  /** Something else may be done on it. */
  afterExchange(): void {
    if (this.isClosed) return
    if (this.room > 0) this.pool.onRoom(this)
    else if (this.#streams.size === 0) this.close()
  }
}

/** One exchange. */
class Stream implements UpstreamStream, Arrival {
  readonly attempt: Attempt
  readonly isReused: boolean
  hasReceived = false
  readonly isWritable = true
  isAbandoned = false
  readonly #connection: Connection

  constructor(connection: Connection, attempt: Attempt, isReused: boolean) {
    this.#connection = connection
    this.attempt = attempt
    this.isReused = isReused
  }

  // --- what the try asks ---

  writeHead(): void {
    const { network, endpoint } = this.#connection
    network.clock.setTimer(network.latencyMs, () => endpoint.onRequest(this))
  }

  writeData(): boolean {
    return true
  }

  endRequest(): void {}

  abandon(): void {
    if (this.isAbandoned) return
    this.isAbandoned = true
    const connection = this.#connection
    connection.detach(this)
    if (connection.isHttp2) connection.afterExchange()
    else connection.close()
  }

  pauseReading(): void {}

  resumeReading(): void {}

  // --- what the endpoint does ---

  answer(status: number): void {
    const { network } = this.#connection
    network.clock.setTimer(network.latencyMs, () => this.#onAnswer(status))
  }

  reset(isGone: boolean): void {
    const { network } = this.#connection
    network.clock.setTimer(network.latencyMs, () => this.#onReset(isGone))
  }

  #onReset(isGone: boolean): void {
    const connection = this.#connection
    if (this.isAbandoned) return
    if (isGone || !connection.isHttp2) {
      connection.close()
      return
    }
    this.isAbandoned = true
    connection.detach(this)
    connection.afterExchange()
    connection.pool.cluster.stats.upstream_rq_rx_reset.inc()
    this.attempt.onReset('reset', 'remote reset')
  }

  #onAnswer(status: number): void {
    const connection = this.#connection
    if (this.isAbandoned || connection.isClosed) return
    const { attempt } = this
    const { head } = connection.network
    const bytes = answerBytes(status)
    parseResponseHead(bytes, 0, bytes.length - 4, head, attempt.method)
    this.hasReceived = true
    attempt.onResponseHead(head)
    if (this.isAbandoned) return
    this.isAbandoned = true
    // Free first, as a real connection: the end of this answer may bring the next request at once.
    connection.detach(this)
    connection.afterExchange()
    attempt.onResponseEnd()
  }
}
