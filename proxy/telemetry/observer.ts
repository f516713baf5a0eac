import type { NodeFacts } from '../node-facts.ts'
import type { StreamContext } from '../stream/context.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { CallRecord } from './call-record.ts'
import type { ConnectionRecord } from './connection-record.ts'
import type { Sink, SinkKey } from './sinks.ts'

/*
 * What looks at calls and connections without deciding anything: access logs, metrics, spans. An observer belongs to one
 * connection manager (or TCP proxy) of a plan and to one thread; what outlives plans, such as files, streams and series, is a
 * sink, which observers of the same key share. An observer must not throw for a call's sake, must not keep a record beyond
 * onEnd() (it is used again), and does nothing that waits.
 */

/** What makes an observer, once for each thread that serves the plan. */
export interface CallObserverPlan {
  create(context: ObserverContext): CallObserver
}

export interface CallObserver {
  /** Fields of answers that are asked for in onEnd() by CallRecord.responseField(), lower-case: only these are kept. */
  readonly responseFields?: readonly string[]
  /** The request is understood and nothing is decided yet. Its fields may be changed. Not called for requests that are refused at once. */
  onRequest?(record: CallRecord): void
  /** It is decided where the request goes, and its head is about to be written; once, before the first try. */
  onForward?(record: CallRecord): void
  /** The fields of an answer, the upstream's or our own, before they leave. May change them. */
  onResponse?(record: CallRecord, fields: HeaderBlock): void
  /** Once for every request, however it ended. */
  onEnd?(record: CallRecord): void
}

export interface ConnectionObserverPlan {
  create(context: ObserverContext): ConnectionObserver
}

export interface ConnectionObserver {
  onOpen?(record: ConnectionRecord): void
  /** The upstream is there. */
  onConnected?(record: ConnectionRecord): void
  onEnd?(record: ConnectionRecord): void
}

/** What observers are made with. */
export interface ObserverContext {
  readonly stream: StreamContext
  /** Who this proxy is, by its bootstrap. */
  readonly node: NodeFacts
  /** How many series this thread may make of what calls say of themselves. */
  readonly seriesLimit: number
  /**
   * The sink of this key, made when nobody has it. It lives while an observer of the plan that is served has asked for it, and
   * is closed some time after.
   */
  sink<T extends Sink>(key: SinkKey, make: () => T): T
}
