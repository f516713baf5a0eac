import { WallTimes } from '../../lib/clock.ts'
import type { NodeFacts } from '../node-facts.ts'
import type { FilterChainPlan, HttpManagerPlan, ListenerPlan, Plan, TcpProxyPlan } from '../plan/plan.ts'
import type { StreamContext } from '../stream/context.ts'
import type { CallRecord } from './call-record.ts'
import { EndedCalls } from './ended-calls.ts'
import type { ObserverContext } from './observer.ts'
import { CallObservers, ConnectionObservers } from './observers.ts'
import { type Sink, type SinkKey, Sinks } from './sinks.ts'

/** Who observes the calls of a connection manager, or the connections of a TCP proxy or listener; undefined where nobody does. */
export interface ObserverDirectory {
  observersOf(manager: HttpManagerPlan): CallObservers | undefined
  connectionObserversOf(of: TcpProxyPlan | ListenerPlan): ConnectionObservers | undefined
  /** A call that somebody observes is over. */
  ended(record: CallRecord): void
  /** Observers are told of all that is over: something of a call is about to be used again. */
  tellEnded(): void
  /** What the wall clock said when the monotonic one said `nowMs`, a moment ago. */
  wallMsAt(nowMs: number): number
}

/** For data planes that nobody observes. */
export const UNOBSERVED: ObserverDirectory = {
  observersOf: () => undefined,
  connectionObserversOf: () => undefined,
  ended: () => {},
  tellEnded: () => {},
  wallMsAt: () => 0,
}

/** How long is waited, at the end of a process, for servers of logs and spans. */
const FLUSH_MS = 1000

/** The observers of the plan that one thread serves, and their sinks. */
export class Telemetry implements ObserverDirectory, ObserverContext {
  readonly stream: StreamContext
  readonly node: NodeFacts
  readonly seriesLimit: number
  readonly #sinks: Sinks
  readonly #wall: WallTimes
  readonly #ended: EndedCalls
  /** Also those of earlier plans, as long as connections go on by them. */
  readonly #calls = new WeakMap<HttpManagerPlan, CallObservers>()
  /** Whom somebody asked for last, who is mostly asked for next. */
  #lastManager: HttpManagerPlan | undefined
  #lastObservers: CallObservers | undefined
  readonly #connections = new WeakMap<TcpProxyPlan | ListenerPlan, ConnectionObservers>()

  constructor(stream: StreamContext, node: NodeFacts, seriesLimit: number) {
    this.seriesLimit = seriesLimit
    this.stream = stream
    this.node = node
    this.#sinks = new Sinks(stream.clock)
    this.#wall = new WallTimes(stream.clock)
    this.#ended = new EndedCalls(stream.out)
  }

  sink<T extends Sink>(key: SinkKey, make: () => T): T {
    return this.#sinks.get(key, make)
  }

  observersOf(manager: HttpManagerPlan): CallObservers | undefined {
    if (manager !== this.#lastManager) {
      this.#lastManager = manager
      this.#lastObservers = manager.observers.length === 0 ? undefined : this.#calls.get(manager)
    }
    return this.#lastObservers
  }

  connectionObserversOf(of: TcpProxyPlan | ListenerPlan): ConnectionObservers | undefined {
    return of.observers.length === 0 ? undefined : this.#connections.get(of)
  }

  ended(record: CallRecord): void {
    this.#ended.add(record)
  }

  tellEnded(): void {
    this.#ended.tell()
  }

  wallMsAt(nowMs: number): number {
    return this.#wall.at(nowMs)
  }

  /** Before calls meet the plan: makes the observers that it has, and lets go what it no longer wants. */
  setPlan(plan: Plan): void {
    this.#lastManager = undefined
    const onBug = (thrown: unknown) => this.stream.bugs.report('telemetry', thrown)
    const observeConnections = (of: TcpProxyPlan | ListenerPlan) => {
      const observers = of.observers.map((one) => one.create(this))
      if (observers.length > 0) this.#connections.set(of, new ConnectionObservers(observers, onBug))
    }
    const observeCalls = (manager: HttpManagerPlan) => {
      const observers = manager.observers.map((one) => one.create(this))
      if (observers.length > 0) this.#calls.set(manager, new CallObservers(observers, onBug))
    }
    this.#sinks.renew(() => {
      for (const listener of plan.listeners.values()) {
        observeConnections(listener)
        for (const { filter } of chainsOf(listener)) {
          if (filter.kind === 'http') observeCalls(filter)
          else observeConnections(filter)
        }
      }
    })
  }

  /** Files were moved away: what is written from now on goes to new ones of their names. */
  reopenLogs(): void {
    this.#sinks.reopen()
  }

  /** What is held of logs and spans leaves, as far as it can in a second. Never rejects. */
  async flush(): Promise<void> {
    try {
      this.#ended.tell()
      await this.#sinks.flush(FLUSH_MS)
    } catch (thrown) {
      this.stream.bugs.report('telemetry', thrown)
    }
  }

  close(): void {
    this.#ended.tell()
    this.#sinks.close()
  }
}

function* chainsOf({ filterChains, defaultFilterChain }: ListenerPlan): Generator<FilterChainPlan> {
  yield* filterChains
  if (defaultFilterChain !== undefined) yield defaultFilterChain
}
