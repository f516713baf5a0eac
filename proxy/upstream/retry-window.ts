/** How far back retries and successes are counted. */
const WINDOW_SECONDS = 5
/** Retries in a window that need no successes, over all threads: a quiet service may try again too. */
const FREE_RETRIES = 5

/** The time that buckets go by: a timer wheel's. */
export interface CoarseTime {
  readonly coarseNowMs: number
}

/**
 * What a cluster's retries have cost in the last five seconds, and what they may cost: a percentage of the requests that
 * succeeded in that time, or a few when that is more. Failures earn nothing, so that retries end when all fails, however
 * fast it fails and however many proxies stand in a row (decision 16).
 *
 * Each thread keeps its own. The sum over all threads is bounded by the same percentage of all successes and the same few.
 */
export class RetryWindow {
  readonly #time: CoarseTime
  readonly #free: number
  readonly #earned = new Int32Array(WINDOW_SECONDS)
  readonly #spent = new Int32Array(WINDOW_SECONDS)
  #earnedTotal = 0
  #spentTotal = 0
  #second: number

  constructor(time: CoarseTime, threads: number) {
    this.#time = time
    this.#free = Math.ceil(FREE_RETRIES / threads)
    this.#second = this.#secondNow()
  }

  /** A request has succeeded. Called for every one. */
  earn(): void {
    this.#roll()
    this.#earned[this.#second % WINDOW_SECONDS]!++
    this.#earnedTotal++
  }

  allows(percent: number): boolean {
    this.#roll()
    return this.#spentTotal < Math.max(this.#free, Math.floor((this.#earnedTotal * percent) / 100))
  }

  /** Returns when, for refund(). */
  spend(): number {
    this.#roll()
    this.#spent[this.#second % WINDOW_SECONDS]!++
    this.#spentTotal++
    return this.#second
  }

  /** What was spent at that time turns out to have cost nobody anything. */
  refund(second: number): void {
    this.#roll()
    const index = second % WINDOW_SECONDS
    if (this.#second - second >= WINDOW_SECONDS || this.#spent[index] === 0) return
    this.#spent[index]!--
    this.#spentTotal--
  }

  #secondNow(): number {
    return Math.floor(this.#time.coarseNowMs / 1000)
  }

  /** Forgets what is too long ago. */
  #roll(): void {
    const now = this.#secondNow()
    if (now === this.#second) return
    for (let i = 0; i < Math.min(now - this.#second, WINDOW_SECONDS); i++) {
      const index = (now - i) % WINDOW_SECONDS
      this.#earnedTotal -= this.#earned[index] as number
      this.#spentTotal -= this.#spent[index] as number
      this.#earned[index] = 0
      this.#spent[index] = 0
    }
    this.#second = now
  }
}
