import { type BreakerCounts, COUNT } from '../upstream/breaker-counts.ts'

/** How many connections a proxy takes at a time, over all its listeners and threads. */
export class ConnectionBudget {
  readonly max: number
  readonly #counts: BreakerCounts

  /** Infinity: no bound. */
  constructor(max: number, counts: BreakerCounts) {
    this.max = max
    this.#counts = counts
  }

  get used(): number {
    return this.#counts.total(COUNT.connections)
  }

  take(): boolean {
    if (this.used >= this.max) return false
    this.#counts.add(COUNT.connections, 1)
    return true
  }

  giveBack(): void {
    this.#counts.add(COUNT.connections, -1)
  }
}
