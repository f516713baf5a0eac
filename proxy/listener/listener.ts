import { createServer, type Server, type Socket } from 'node:net'
import { unmapIpv4 } from '../../lib/ip.ts'
import type { Logger } from '../../lib/log.ts'
import type { MetricStore } from '../../lib/metrics/store.ts'
import { type ConnectionFacts, connectionFacts } from '../decide/connection-facts.ts'
import { ServerConnection } from '../http1/server-connection.ts'
import type { ConnectionLimitPlan, FilterChainPlan, HttpManagerPlan, ListenerPlan } from '../plan/plan.ts'
import type { StreamContext } from '../stream/context.ts'
import { type ManagerStats, managerStats } from '../stream/manager-stats.ts'
import { TcpConnection } from '../tcp/tcp-connection.ts'
import type { ConnectionBudget } from './budget.ts'
import { ChainSource } from './chain-source.ts'
import { ConnectionLimit } from './connection-limit.ts'
import { Incoming } from './incoming.ts'
import { type ListenerStats, listenerStats, type SniffStats, sniffStats } from './stats.ts'

const BACKLOG = 4096

/** The listeners of one proxy, as one of them sees the others. */
export interface ListenerDirectory {
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
  readonly incoming = new Set<Incoming>()
  readonly #metrics: MetricStore
  readonly #log: Logger
  readonly #server: Server
  readonly #http = new Set<ServerConnection>()
  readonly #tcp = new Set<TcpConnection>()
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
    this.stats = listenerStats(metrics, { listener_address: `${plan.address}_${plan.port}` })
    this.sniffStats = sniffStats(metrics)
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#onConnection(socket))
  }

  /** Resolves when the socket listens; rejects when the address cannot be had. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: this.plan.address, port: this.plan.port, backlog: BACKLOG }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) =>
          this.#log.error('listener failed', { listener: this.plan.name, error: error.message }),
        )
        resolve()
      })
    })
  }

  /** The port that is listened on, which differs from the plan's when that is 0. */
  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : this.plan.port
  }

  get connectionCount(): number {
    return this.incoming.size + this.#http.size + this.#tcp.size
  }

  /** Stops accepting; idle connections close now, busy ones after their answer. */
  drain(): void {
    this.isDraining = true
    this.#server.close()
    for (const connection of this.#http) connection.drain()
  }

  /** Cuts what is left. */
  close(): void {
    this.#server.close()
    const all: Iterable<Served>[] = [this.incoming, this.#http, this.#tcp]
    for (const connections of all) for (const connection of connections) connection.destroy()
  }

  /** Counters of one stat prefix, made once. */
  statsOf(statPrefix: string): ManagerStats {
    let stats = this.#managerStats.get(statPrefix)
    if (stats === undefined) {
      stats = managerStats(this.#metrics, statPrefix)
      this.#managerStats.set(statPrefix, stats)
    }
    return stats
  }

  /** Counts a connection of this chain in until it closes; false when there are as many as may be. */
  takeFromLimit(plan: ConnectionLimitPlan, chain: FilterChainPlan, socket: Socket): boolean {
    const key = `${chain.name} ${plan.statPrefix}`
    let limit = this.#limits.get(key)
    if (limit === undefined) {
      limit = new ConnectionLimit(this.#metrics, plan.statPrefix)
      this.#limits.set(key, limit)
    }
    if (!limit.take(plan)) return false
    const taken = limit
    socket.once('close', () => taken.giveBack())
    return true
  }

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
    stats.downstream_cx_active.inc()
    socket.once('close', this.#onSocketClosed)
    const facts = factsOf(socket)
    const chain = plan.plainChain
    const isPlain =
      plan.listenerFilters.length === 0 && chain?.tls === undefined && chain?.connectionLimit === undefined
    if (chain !== undefined && isPlain) this.serve(socket, facts, chain)
    else new Incoming(socket, facts, this).start()
  }

  readonly #onSocketClosed = (): void => {
    this.listeners.budget.giveBack()
    this.stats.downstream_cx_active.dec()
    this.stats.downstream_cx_destroy.inc()
  }

  /** Gives a connection whose filter chain is known to the chain's filter. */
  serve(socket: Socket, facts: ConnectionFacts, chain: FilterChainPlan): void {
    const { filter } = chain
    if (filter.kind === 'http') this.#serveHttp(socket, facts, filter)
    else {
      const onClosed = (closed: TcpConnection) => this.#tcp.delete(closed)
      this.#tcp.add(new TcpConnection(socket, facts, filter, this.context, this.#metrics, onClosed))
    }
  }

  #serveHttp(socket: Socket, facts: ConnectionFacts, manager: HttpManagerPlan): void {
    const source = new ChainSource(this, facts, manager)
    this.#http.add(new ServerConnection(socket, this.context, source, (closed) => this.#http.delete(closed)))
    // A socket whose first bytes were looked at is paused.
    if (socket.isPaused()) socket.resume()
  }
}

function factsOf(socket: Socket): ConnectionFacts {
  const source = unmapIpv4(socket.remoteAddress ?? '')
  return connectionFacts({
    destinationAddress: unmapIpv4(socket.localAddress ?? ''),
    destinationPort: socket.localPort ?? 0,
    directSourceAddress: source,
    sourceAddress: source,
    sourcePort: socket.remotePort ?? 0,
  })
}
