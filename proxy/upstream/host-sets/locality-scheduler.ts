import { type Random, randomInt } from '../../../lib/random.ts'
import { EdfScheduler } from '../lb/edf.ts'

/** The localities of a priority by earliest deadline first, each by its index. */
export class LocalityScheduler {
  readonly #scheduler: EdfScheduler<number>
  readonly #weightOf: (locality: number) => number
  /** It always chooses the same. */
  readonly isSingle: boolean

  /** One weight a locality; one of 0 is never chosen, and at least one must not be. */
  constructor(weights: readonly number[], random: Random) {
    this.#weightOf = (locality) => weights[locality] as number
    const chosen = [...weights.keys()].filter((locality) => this.#weightOf(locality) > 0)
    this.isSingle = chosen.length === 1
    this.#scheduler = new EdfScheduler(chosen, this.#weightOf)
    // Proxies that learn of a change at once do not all begin with the same locality.
    for (let skipped = randomInt(random, weights.length); skipped > 0; skipped--) this.next()
  }

  /** The index of a locality. */
  next(): number {
    return this.#scheduler.next(this.#weightOf)
  }
}

/**
 * What a locality weighs when `available` of its `hosts` can serve (Envoy's effectiveLocalityWeight): the same until more
 * than the overprovisioning allows have failed.
 */
export function effectiveWeight(weight: number, hosts: number, available: number, overprovisioningPercent: number) {
  return hosts === 0 ? 0 : weight * Math.min(1, (overprovisioningPercent / 100) * (available / hosts))
}
