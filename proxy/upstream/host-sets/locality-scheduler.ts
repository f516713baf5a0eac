import { type Random, randomInt } from '../../../lib/random.ts'

/**
 * The localities of a priority by earliest deadline first: each comes back after 1/weight of virtual time, ties in the order
 * of arrival (Envoy's EdfScheduler). There are few, so that looking at each is all that is needed.
 */
export class LocalityScheduler {
  readonly #weights: readonly number[]
  readonly #deadlines: Float64Array
  readonly #orders: Float64Array
  #order = 0
  /** It always chooses the same. */
  readonly isSingle: boolean

  /** One weight a locality; one of 0 is never chosen, and at least one must not be. */
  constructor(weights: readonly number[], random: Random) {
    this.#weights = weights
    this.isSingle = weights.filter((weight) => weight > 0).length === 1
    this.#deadlines = Float64Array.from(weights, (weight) => (weight > 0 ? 1 / weight : Number.POSITIVE_INFINITY))
    this.#orders = Float64Array.from(weights, () => this.#order++)
    // Proxies that learn of a change at once do not all begin with the same locality.
    for (let skipped = randomInt(random, weights.length); skipped > 0; skipped--) this.next()
  }

  /** The index of a locality. */
  next(): number {
    const deadlines = this.#deadlines
    const orders = this.#orders
    let least = 0
    for (let i = 1; i < deadlines.length; i++) {
      const difference = deadlines[i]! - deadlines[least]!
      if (difference < 0 || (difference === 0 && orders[i]! < orders[least]!)) least = i
    }
    deadlines[least]! += 1 / (this.#weights[least] as number)
    orders[least] = this.#order++
    return least
  }
}

/**
 * What a locality weighs when `available` of its `hosts` can serve (Envoy's effectiveLocalityWeight): the same until more
 * than the overprovisioning allows have failed.
 */
export function effectiveWeight(weight: number, hosts: number, available: number, overprovisioningPercent: number) {
  return hosts === 0 ? 0 : weight * Math.min(1, (overprovisioningPercent / 100) * (available / hosts))
}
