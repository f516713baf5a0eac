import type { Random } from '../../lib/random.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import type { RequestHead } from '../stream/message.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import type { Surroundings } from './surroundings.ts'

/** One HTTP call as the decision sees it: what was asked, by whom, and the dice. Reused by a connection. */
export interface Call {
  readonly head: RequestHead
  /** What is known of the connection it came on. */
  readonly facts: ConnectionFacts
  /** Draws for faults. */
  readonly random: Random
  /** Drawn once a call: runtime fractions and the pick of a weighted cluster share it, as in Envoy. */
  randomValue: number
  /** Milliseconds since the Unix epoch, for what expires. */
  wallMs(): number
  /** The process around it: tokens of rate limits above all. */
  readonly around: Surroundings
  /** Adds a new x-request-id. */
  addRequestId(head: HeaderBlock): void
}

/** Bound of `randomValue`: it divides evenly enough for every sum of weights that Envoy allows. */
export const RANDOM_VALUE_BOUND = 2 ** 48
