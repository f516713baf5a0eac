import type { References } from '../attributes/references.ts'
import type { AttributeBag, Value } from '../attributes/value.ts'

/** A bag some of whose attributes are made of others, which are noted when they are made. */
export interface DerivingBag extends AttributeBag {
  /** Whether the caller does not know this attribute by itself. */
  isDerived?(name: string): boolean
  /** Whether it is no attribute of the call at all, but what a handler gave. */
  isOutput?(name: string): boolean
}

/** What an expression is evaluated over, and what came of it. One serves for many expressions over one bag. */
export class Evaluation {
  readonly bag: DerivingBag
  /** undefined where nobody asks what was read. */
  readonly references: References | undefined
  /** The attribute, or the entry of one, that was absent last. */
  missing = ''
  /** The map that was made last, and what it was made by: instances that follow each other often have the same dimensions. */
  madeBy: object | undefined
  made: Readonly<Record<string, unknown>> | undefined
  /** What went wrong for another reason; '' when nothing did. An absent attribute may be replaced by `|`, this may not. */
  failure = ''

  constructor(bag: DerivingBag, references?: References) {
    this.bag = bag
    this.references = references
  }

  /** Why there was no value. */
  get error(): string {
    return this.failure !== '' ? this.failure : `${this.missing} is absent`
  }

  note(name: string, key: string | undefined, present: boolean): void {
    if (this.references === undefined || this.bag.isOutput?.(name)) return
    if (this.bag.isDerived?.(name)) this.references.add(name, undefined, false)
    else this.references.add(name, key, present)
  }

  fail(message: string): undefined {
    this.failure = message
    return undefined
  }
}

/** undefined when something needed is absent or went wrong: the evaluation says which. */
export type Compute = (evaluation: Evaluation) => Value | undefined
