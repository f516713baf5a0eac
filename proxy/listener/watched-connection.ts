import type { ResponseFlag } from '../../api/response-flags.ts'
import { type ConnectionFacts, learnAddresses } from '../decide/connection-facts.ts'
import type { ListenerPlan } from '../plan/plan.ts'
import type { StreamContext } from '../stream/context.ts'
import { ConnectionRecord } from '../telemetry/connection-record.ts'
import type { ConnectionObservers } from '../telemetry/observers.ts'

/** A connection that a listener's own access logs are told of, whatever serves it, or if nothing does. */
export class WatchedConnection {
  readonly record: ConnectionRecord
  readonly #observers: ConnectionObservers
  readonly #context: StreamContext

  private constructor(facts: ConnectionFacts, observers: ConnectionObservers, context: StreamContext) {
    learnAddresses(facts)
    this.record = new ConnectionRecord(facts, context.clock.nowMs(), context.clock.wallMs())
    this.#observers = observers
    this.#context = context
  }

  /** Of a connection that came to the listener just now; undefined where nobody is told. */
  static of(plan: ListenerPlan, facts: ConnectionFacts, context: StreamContext): WatchedConnection | undefined {
    const observers = context.telemetry.connectionObserversOf(plan)
    return observers && new WatchedConnection(facts, observers, context)
  }

  /** Why it is about to be closed. */
  note(flag: ResponseFlag, detail: string): void {
    this.record.flag = flag
    this.record.detail = detail
  }

  end(): void {
    this.record.endMs = this.#context.clock.nowMs()
    this.#observers.tell('onEnd', this.record)
  }
}
