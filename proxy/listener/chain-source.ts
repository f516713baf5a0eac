import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { findFilterChain } from '../decide/filter-chain.ts'
import type { ManagerSource } from '../http1/server-connection.ts'
import type { HttpManagerPlan, ListenerPlan } from '../plan/plan.ts'
import type { ManagerStats } from '../stream/manager-stats.ts'
import type { Listener } from './listener.ts'

/** Keeps one connection's connection manager up to date with its listener's plan. */
export class ChainSource implements ManagerSource {
  /** What is known of the connection: addresses, handshake, the peer's identity. */
  readonly facts: ConnectionFacts
  readonly #listener: Listener
  #plan: ListenerPlan
  #manager: HttpManagerPlan | undefined
  stats: ManagerStats

  constructor(listener: Listener, facts: ConnectionFacts, manager: HttpManagerPlan) {
    this.facts = facts
    this.#listener = listener
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
      const chain = findFilterChain(this.#plan, this.facts)
      // What a chain asks of a connection's transport, this connection must have.
      const fits = (chain?.tls === undefined) === (this.facts.tls === undefined)
      this.#manager = fits && chain?.filter.kind === 'http' ? chain.filter : undefined
      if (this.#manager !== undefined) this.stats = this.#listener.statsOf(this.#manager.statPrefix)
    }
    return this.#manager
  }
}
