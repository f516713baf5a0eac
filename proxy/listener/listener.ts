import { createServer, type Server, type Socket } from 'node:net'
import type { Logger } from '../../lib/log.ts'
import type { Metric, MetricStore } from '../../lib/metrics/store.ts'
import { type ConnectionFacts, findFilterChain } from '../decide/filter-chain.ts'
import type { ManagerSource } from '../http1/server-connection.ts'
import type { HttpManagerPlan, ListenerPlan } from '../plan/plan.ts'
import type { StreamContext } from '../stream/context.ts'
import { type ManagerStats, managerStats } from '../stream/manager-stats.ts'
import { tcpStats } from '../tcp/stats.ts'
import { TcpConnection } from '../tcp/tcp-connection.ts'
import { type HttpConnection, openHttp } from './http-codec.ts'

const BACKLOG = 4096

/**
 * One listening socket as it runs. Its plan may change under it: connections that are open go on, and take the new
 * plan's connection manager from their next request.
 */
export class Listener {
  plan: ListenerPlan
  readonly #context: StreamContext
  readonly #metrics: MetricStore
  readonly #log: Logger
  readonly #server: Server
  readonly #http = new Set<HttpConnection>()
  readonly #tcp = new Set<TcpConnection>()
  readonly #noMatch: Metric
  readonly #managerStats = new Map<string, ManagerStats>()
  isDraining = false

  constructor(plan: ListenerPlan, context: StreamContext, metrics: MetricStore, log: Logger) {
    this.plan = plan
    this.#context = context
    this.#metrics = metrics
    this.#log = log
    this.#noMatch = metrics.counter('listener.no_filter_chain_match', {
      listener_address: `${plan.address}_${plan.port}`,
    })
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
    return this.#http.size + this.#tcp.size
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
    for (const connection of this.#http) connection.destroy()
    for (const connection of this.#tcp) connection.destroy()
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

  #onConnection(socket: Socket): void {
    try {
      this.#serve(socket)
    } catch (thrown) {
      this.#context.bugs.report('listener', thrown)
      socket.destroy()
    }
  }

  #serve(socket: Socket): void {
    const facts: ConnectionFacts = {
      destinationAddress: socket.localAddress ?? '',
      destinationPort: socket.localPort ?? 0,
      transportProtocol: 'raw_buffer',
      serverName: '',
      applicationProtocols: [],
    }
    const chain = findFilterChain(this.plan, facts)
    if (chain === undefined) {
      this.#noMatch.inc()
      socket.destroy()
    } else if (chain.filter.kind === 'http') {
      const source = new ChainSource(this, facts, chain.filter)
      const transport = { socket, scheme: 'http', protocol: '' } as const
      this.#http.add(openHttp(transport, this.#context, source, (closed) => this.#http.delete(closed)))
    } else {
      const stats = tcpStats(this.#metrics, chain.filter.statPrefix)
      this.#tcp.add(new TcpConnection(socket, chain.filter, this.#context, stats, (closed) => this.#tcp.delete(closed)))
    }
  }
}

/** Keeps one connection's connection manager up to date with its listener's plan. */
class ChainSource implements ManagerSource {
  readonly #listener: Listener
  readonly #facts: ConnectionFacts
  #plan: ListenerPlan
  #manager: HttpManagerPlan | undefined
  stats: ManagerStats

  constructor(listener: Listener, facts: ConnectionFacts, manager: HttpManagerPlan) {
    this.#listener = listener
    this.#facts = facts
    this.#plan = listener.plan
    this.#manager = manager
    this.stats = listener.statsOf(manager.statPrefix)
  }

  get isDraining(): boolean {
    return this.#listener.isDraining
  }

  get manager(): HttpManagerPlan | undefined {
    if (this.#plan !== this.#listener.plan) {
      this.#plan = this.#listener.plan
      const chain = findFilterChain(this.#plan, this.#facts)
      this.#manager = chain?.filter.kind === 'http' ? chain.filter : undefined
      if (this.#manager !== undefined) this.stats = this.#listener.statsOf(this.#manager.statPrefix)
    }
    return this.#manager
  }
}
