import type { Random } from './random.ts'

/**
 * Exponential back-off with full jitter. Each delay is drawn from [0, interval); the interval starts at `baseMs`,
 * doubles after every draw and stops at `maxMs`.
 */
export class Backoff {
  readonly #baseMs: number
  readonly #maxMs: number
  readonly #random: Random
  #intervalMs: number

  constructor(options: { baseMs: number; maxMs: number; random: Random }) {
    this.#baseMs = options.baseMs
    this.#maxMs = options.maxMs
    this.#random = options.random
    this.#intervalMs = options.baseMs
  }

  /** Whole milliseconds to wait before the next attempt. */
  nextDelayMs(): number {
    const delayMs = Math.floor(this.#random.next() * this.#intervalMs)
    this.#intervalMs = Math.min(this.#intervalMs * 2, this.#maxMs)
    return delayMs
  }

  reset(): void {
    this.#intervalMs = this.#baseMs
  }
}
