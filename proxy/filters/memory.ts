import type { StreamContext } from '../stream/context.ts'

/**
 * What filters remember from one call to the next, in this thread: one object for each of their configurations. It goes when the
 * configuration goes, so that nothing which was learnt under one is used under another.
 */
export class FilterMemory {
  readonly context: StreamContext
  readonly #kept = new WeakMap<object, unknown>()

  constructor(context: StreamContext) {
    this.context = context
  }

  /** What is kept of `config`, made when it is asked for first. A configuration belongs to one filter, which says what is kept. */
  of<C extends object, T extends object>(config: C, make: (context: StreamContext, config: C) => T): T {
    const known = this.#kept.get(config)
    if (known !== undefined) return known as T
    const made = make(this.context, config)
    this.#kept.set(config, made)
    return made
  }
}
