import type { StreamContext } from '../stream/context.ts'
import type { Call } from './call.ts'
import type { Decision } from './decision.ts'

/**
 * What a filter has to know before it can judge a call, and what no pure function can find out. The filter's judge() makes it;
 * who carries the decision out asks it, and gives the answer to resume().
 */
export interface Question {
  /** Of whom or what, for people: `would ask <about>`. */
  readonly about: string
  /** Whether it is answered by computing alone, without a network. */
  readonly isLocal: boolean
  /** How many bytes of the request's body must be there first, unless it ends before; 0 for none. */
  readonly bodyBytes: number
  /** The half with effects. Must lead to one Asker.answer(), during the call or later; bounds its own time. */
  ask(asker: Asker): Asking
}

/** What a question may use. */
export interface Asker {
  readonly call: Call
  readonly decision: Decision
  /** undefined where no network is to be touched; then only local questions are asked. */
  readonly context: StreamContext | undefined
  /** The pieces of the request's body that have come. */
  body(): readonly Buffer[]
  /** Whether that is all of it. */
  readonly bodyIsEnded: boolean
  /** What `value` is, is between the question and its filter. Nothing is heard after the asking was cancelled. */
  answer(value: unknown): void
}

/** A question that is being asked. */
export interface Asking {
  /** The call is over: the answer is no longer wanted. */
  cancel(): void
}

/** Of questions that hold nothing that could be let go. */
export const NOTHING_TO_CANCEL: Asking = { cancel() {} }
