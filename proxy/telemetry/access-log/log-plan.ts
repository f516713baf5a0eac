import type { Subject } from '../cel/attributes.ts'
import type { ObserverContext } from '../observer.ts'

/** One access log of a connection manager or TCP proxy. */
export interface LogPlan {
  /** Fields of answers that it reads, lower-case. */
  readonly responseFields: readonly string[]
  /** What writes an entry, for one thread. */
  create(context: ObserverContext): (subject: Subject) => void
}
