import { type Spread, spread } from '../statistics.ts'

/** Cores are apart when the way between them is longer than so many times the shortest that was seen. */
const APART = 2

/** Watches how far the cores are from each other while things are measured. */
export class CoreWatch {
  readonly #measureNs: () => Promise<number>
  readonly #seenNs: number[] = []
  #leastNs = Number.POSITIVE_INFINITY

  constructor(measureNs: () => Promise<number>) {
    this.#measureNs = measureNs
  }

  get distanceNs(): Spread {
    return spread(this.#seenNs)
  }

  /** Looks, and says whether they were near each other now and when it looked before. */
  async areNear(): Promise<boolean> {
    const before = this.#seenNs.at(-1) ?? 0
    const now = await this.#measureNs()
    this.#seenNs.push(now)
    this.#leastNs = Math.min(this.#leastNs, now)
    return Math.max(before, now) <= APART * this.#leastNs
  }
}
