/** How many connections a proxy takes at a time, over all its listeners. */
export class ConnectionBudget {
  readonly max: number
  #used = 0

  /** Infinity: no bound. */
  constructor(max: number) {
    this.max = max
  }

  get used(): number {
    return this.#used
  }

  take(): boolean {
    if (this.#used >= this.max) return false
    this.#used++
    return true
  }

  giveBack(): void {
    this.#used--
  }
}
