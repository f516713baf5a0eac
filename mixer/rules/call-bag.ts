import type { Handler } from '../adapters/adapter.ts'
import type { References } from '../attributes/references.ts'
import type { AttributeBag, Value } from '../attributes/value.ts'
import { type Compute, type DerivingBag, Evaluation } from '../expression/evaluation.ts'
import type { CompiledInstance } from './instance.ts'

/** What makes one attribute: the binding of an instance to what a handler gives. */
export interface Generator {
  /** Of the rule; undefined: it holds for every call. */
  readonly match: Compute | undefined
  readonly handler: Handler
  readonly instance: CompiledInstance
  readonly compute: Compute
}

const NOTHING: AttributeBag = { get: () => undefined }

/**
 * The attributes of one call: those that the proxy told, and behind them those that adapters make of them (kubernetesenv), which are
 * made when they are asked for.
 */
export class CallBag implements DerivingBag {
  readonly #base: AttributeBag
  readonly #generators: ReadonlyMap<string, readonly Generator[]>
  readonly #references: References | undefined
  /** By instance. */
  #made: Map<CompiledInstance, AttributeBag> | undefined

  constructor(base: AttributeBag, generators: ReadonlyMap<string, readonly Generator[]>, references?: References) {
    this.#base = base
    this.#generators = generators
    this.#references = references
  }

  get(name: string): Value | undefined {
    const told = this.#base.get(name)
    if (told !== undefined) return told
    const generators = this.#generators.get(name)
    if (generators === undefined) return undefined
    for (const generator of generators) {
      const outputs = this.#outputs(generator)
      const evaluation = new Evaluation({ get: (one) => outputs.get(one) ?? this.#base.get(one) })
      const value = generator.compute(evaluation)
      if (value !== undefined) return value
    }
    return undefined
  }

  isDerived(name: string): boolean {
    return this.#generators.has(name) && this.#base.get(name) === undefined
  }

  /** What a generator reads of the call, the answer depends on. */
  #outputs({ match, handler, instance }: Generator): AttributeBag {
    this.#made ??= new Map()
    const known = this.#made.get(instance)
    if (known !== undefined) return known
    const evaluation = new Evaluation(this.#base, this.#references)
    let outputs = NOTHING
    if (match === undefined || match(evaluation) === true) {
      const built = instance.build(evaluation)
      if (built !== undefined) outputs = handler.generate?.(built) ?? NOTHING
    }
    this.#made.set(instance, outputs)
    return outputs
  }
}
