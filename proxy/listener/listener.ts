import { createServer, type ListenOptions, type Server, type Socket } from 'node:net'
import { MeshError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import { Roster } from '../../lib/roster.ts'
import { listenReusePort } from '../../lib/sockets/reuse-port.ts'
import { acceptShared } from '../../lib/sockets/shared-read-socket.ts'
import { type ConnectionFacts, SocketFacts } from '../decide/connection-facts.ts'
import { ConnectionJudgement } from '../filters/network/judgement.ts'
import { letsConnect } from '../filters/network/local-ratelimit/filter.ts'
import type { ConnectionLimitPlan, FilterChainPlan, HttpManagerPlan, ListenerPlan } from '../plan/plan.ts'
import { tlsBySecrets } from '../plan/secret-needs.ts'
import type { Secrets } from '../plan/secret-plan.ts'
import type { StreamContext } from '../stream/context.ts'
import { ManagerStats } from '../stream/manager-stats.ts'
import { TcpConnection } from '../tcp/tcp-connection.ts'
import type { ConnectionRecord } from '../telemetry/connection-record.ts'
import type { BreakerTable } from '../upstream/breaker-counts.ts'
import { AskingConnection } from './asking.ts'
import type { ConnectionBudget } from './budget.ts'
import { ChainSource } from './chain-source.ts'
import { ConnectionLimit } from './connection-limit.ts'
import { type HttpConnection, openHttp } from './http-codec.ts'
import { Incoming } from './incoming.ts'
import { ListenerStats, type SniffStats, sniffStats } from './stats.ts'
import { WatchedConnection } from './watched-connection.ts'

const BACKLOG = 4096
/** How long an idle connection of a removed listener is kept for a request on its way. */
const DRAIN_IDLE_MS = 2_500

/** The listeners of one proxy, as one of them sees the others. */
export interface ListenerDirectory {
  /** Other threads listen on the same addresses, and the kernel spreads connections over them. */
  readonly sharesPorts: boolean
  /** Where connections are counted over all threads. */
  readonly breakers: BreakerTable
  /** What all listeners may hold together. */
  readonly budget: ConnectionBudget
  /** The listener that stands for this address: its very own, else the one of the port at any address. */
  listenerOf(address: string, port: number): Listener | undefined
}

/** What has a codec and ends by itself. */
interface Served {
  destroy(): void
}

/**
 * One listener as it runs. Its plan may change under it: connections that are open go on, and take the new plan's
 * connection manager from their next request. One that is not bound to a port gets its connections from others.
 */
export class Listener {
  plan: ListenerPlan
  readonly context: StreamContext
  readonly listeners: ListenerDirectory
  readonly stats: ListenerStats
  readonly sniffStats: SniffStats
  /** Connections that no codec has yet. */
  readonly incoming = new Roster<Incoming>()
  /** Connections of which it is not known yet whether they may be served. */
  readonly asking = new Roster<AskingConnection>()
  readonly #metrics: MetricStore
  readonly #log: Logger
  readonly #server: Server
  readonly #http = new Roster<HttpConnection>()
  readonly #tcp = new Roster<TcpConnection>()
  readonly #managerStats = new Map<string, ManagerStats>()
  readonly #limits = new Map<string, ConnectionLimit>()
  isDraining = false

  constructor(
    plan: ListenerPlan,
    context: StreamContext,
    listeners: ListenerDirectory,
    metrics: MetricStore,
    log: Logger,
  ) {
    this.plan = plan
    this.context = context
    this.listeners = listeners
    this.#metrics = metrics
    this.#log = log
    this.stats = new ListenerStats(metrics, { listener_address: `${plan.address}_${plan.port}` })
    this.sniffStats = sniffStats(metrics)
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#onConnection(socket))
  }

  /** New handshakes use these; open connections live on. */
  useSecrets(secrets: Secrets): void {
    for (const tls of tlsBySecrets(this.plan)) {
      const { latest } = tls
      const next = tls.of(secrets)
      if (next !== latest && next.acceptors !== undefined) this.stats.ssl.context_update_by_sds.inc()
    }
  }

  /** Resolves when the socket listens; rejects when the address cannot be had. */
  async open(): Promise<void> {
    const server = this.#server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      const { address, port } = this.plan
      const onListening = () => {
        server.off('error', reject)
        acceptShared(server, this.#readsHttp, (socket) => this.#onConnection(socket))
        resolve()
      }
      if (!this.listeners.sharesPorts) server.listen({ host: address, port, backlog: BACKLOG }, onListening)
      else listenShared(server, address, port, onListening)
    })
    server.on('error', (error) =>
      this.#log.error('listener failed', { listener: this.plan.name, error: error.message }),
    )
  }

  /** The port that is listened on, which differs from the plan's when that is 0. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.plan.port
  }

  get connectionCount(): number {
    return this.incoming.size + this.asking.size + this.#http.size + this.#tcp.size
  }

  /**
   * Stops accepting. Connections close after their next answer; one that is idle is given so long for a request that may
   * be on its way.
   */
  drain(idleGraceMs = DRAIN_IDLE_MS): void {
    this.isDraining = true
    this.#server.close()
    for (const connection of this.#http) connection.drain(idleGraceMs)
  }

  /** Cuts what is left. */
  close(): void {
    this.#server.close()
    const all: Iterable<Served>[] = [this.incoming, this.asking, this.#http, this.#tcp]
    for (const connections of all) for (const connection of connections) connection.destroy()
  }

  /** Counters of one stat prefix, made once. */
  statsOf(statPrefix: string): ManagerStats {
    let stats = this.#managerStats.get(statPrefix)
    if (stats === undefined) {
      stats = new ManagerStats(this.#metrics, statPrefix)
      this.#managerStats.set(statPrefix, stats)
    }
    return stats
  }

  /** Counts a connection of this chain in until it closes; false when there are as many as may be. */
  takeFromLimit(plan: ConnectionLimitPlan, chain: FilterChainPlan, socket: Socket): boolean {
    const key = `${chain.name} ${plan.statPrefix}`
    let limit = this.#limits.get(key)
    if (limit === undefined) {
      const counts = this.listeners.breakers.countsOf(`\0limit ${this.plan.name} ${key}`)
      limit = new ConnectionLimit(this.#metrics, plan.statPrefix, counts)
      this.#limits.set(key, limit)
    }
    if (!limit.take(plan)) return false
    const taken = limit
    socket.once('close', () => taken.giveBack())
    return true
  }

  /** Whether a connection goes straight to an HTTP codec, which can do with bytes that are lent. */
  readonly #readsHttp = (): boolean => isPlain(this.plan) && this.plan.plainChain?.filter.kind === 'http'

  #onConnection(socket: Socket): void {
    try {
      this.#accept(socket)
    } catch (thrown) {
      this.context.bugs.report('listener', thrown)
      socket.destroy()
    }
  }

  #accept(socket: Socket): void {
    const { stats, plan } = this
    stats.downstream_cx_total.inc()
    if (!this.listeners.budget.take()) {
      stats.downstream_global_cx_overflow.inc()
      socket.destroy()
      return
    }
    for (const limit of plan.rateLimits) {
      if (letsConnect(limit, this.context.around.tokens, this.#count)) continue
      this.listeners.budget.giveBack()
      socket.destroy()
      return
    }
    stats.downstream_cx_active.inc()
    socket.once('close', this.#onSocketClosed)
    const facts = new SocketFacts(socket)
    const chain = plan.plainChain
    if (chain === undefined || !isPlain(plan)) {
      new Incoming(socket, facts, this).start()
      return
    }
    const watched = WatchedConnection.of(plan, facts, this.context)
    if (watched !== undefined) socket.once('close', () => watched.end())
    this.serve(socket, facts, chain, watched?.record)
  }

  readonly #onSocketClosed = (): void => {
    this.listeners.budget.giveBack()
    this.stats.downstream_cx_active.dec()
    this.stats.downstream_cx_destroy.inc()
  }

  /** Gives a connection whose filter chain is known to the chain's filter. */
  serve(socket: Socket, facts: ConnectionFacts, chain: FilterChainPlan, record?: ConnectionRecord): void {
    if (chain.authorization.length === 0) {
      this.#serveAllowed(socket, facts, chain, record)
      return
    }
    const judgement = new ConnectionJudgement(
      chain.authorization,
      facts,
      this.#count,
      undefined,
      this.context.around.tokens,
    )
    const serve = () => this.#serveAllowed(socket, facts, chain, record)
    if (judgement.asks !== undefined) new AskingConnection(socket, judgement, this.context, this.asking, serve).start()
    else if (judgement.verdict === 'deny') socket.destroy()
    else serve()
  }

  #serveAllowed(socket: Socket, facts: ConnectionFacts, { filter }: FilterChainPlan, record?: ConnectionRecord): void {
    if (filter.kind === 'http') this.#serveHttp(socket, facts, filter)
    else {
      const onClosed = (closed: TcpConnection) => this.#tcp.delete(closed)
      this.#tcp.add(new TcpConnection(socket, facts, filter, this.context, this.#metrics, onClosed, record))
    }
  }

  readonly #count = (name: string): void => this.#metrics.counter(name).inc()

  #serveHttp(socket: Socket, facts: ConnectionFacts, manager: HttpManagerPlan): void {
    const source = new ChainSource(this, facts, manager)
    openHttp(socket, facts, this.context, source, this.#http)
    // A socket whose first bytes were looked at is paused.
    if (socket.isPaused()) socket.resume()
  }
}

/** Whether every connection is served as it comes, without a look at its bytes, a handshake or a limit. */
function isPlain({ listenerFilters, plainChain }: ListenerPlan): boolean {
  return listenerFilters.length === 0 && plainChain?.tls === undefined && plainChain?.connectionLimit === undefined
}

/** Listens where other threads do too. Throws, or emits `error`, when the address cannot be had. */
function listenShared(server: Server, address: string, port: number, onListening: () => void): void {
  if (port === 0) throw new MeshError('LISTEN_FAILED', 'several threads cannot share port 0', { source: 'config' })
  if (HAS_REUSE_PORT) {
    server.listen({ host: address, port, backlog: BACKLOG, reusePort: true } as ListenOptions, onListening)
  } else server.listen({ fd: listenReusePort(address, port, BACKLOG) }, onListening)
}

/** node listens with SO_REUSEPORT by itself since 22.12. */
const HAS_REUSE_PORT = isAtLeast(process.versions.node, 22, 12)

function isAtLeast(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor > major || (ownMajor === major && ownMinor >= minor)
}
