/** What is known of a host by all threads of the process, one integer each. */
export const FIELD = {
  /** Bits of HEALTH_FLAG that were found out here. */
  flags: 0,
  consecutive5xx: 1,
  consecutiveGatewayFailure: 2,
  consecutiveLocalOriginFailure: 3,
  /** Answers of this interval, and how many of them were good. */
  total: 4,
  successes: 5,
  /** The same of connecting. */
  localTotal: 6,
  localSuccesses: 7,
  /** How many times the base ejection time the next ejection takes, less one. */
  backoff: 8,
  ejections: 9,
  jitterMs: 10,
  /** Per cent of good answers in the interval before, times FRACTION; -FRACTION when there were too few to tell. */
  successRate: 11,
  localSuccessRate: 12,
} as const
export type Field = (typeof FIELD)[keyof typeof FIELD]

export const FIELDS = 16
export const FRACTION = 1000
/** When it was last ejected or came back. */
export const TIMES = 2

/** How many requests are under way at a host, over all threads. */
export interface ActiveRequests {
  readonly total: number
  add(by: 1 | -1): void
}

/**
 * What detectors and checks know of one host: words in memory of this thread, or in memory that all threads share. Each
 * word is changed by itself; what must be changed together is changed under the lock of the table.
 */
export class HostRecord {
  /** Where the table keeps it; -1 for memory of its own. */
  readonly slot: number
  /** Shared with other threads; undefined when there are none. */
  readonly active: ActiveRequests | undefined
  readonly #words: Int32Array
  readonly #at: number
  readonly #times: Float64Array
  readonly #timesAt: number

  constructor(words: Int32Array, times: Float64Array, slot = -1, active?: ActiveRequests) {
    this.#words = words
    this.#times = times
    this.slot = slot
    this.active = active
    this.#at = Math.max(0, slot) * FIELDS
    this.#timesAt = Math.max(0, slot) * TIMES
  }

  get(field: Field): number {
    return this.#words[this.#at + field] as number
  }

  set(field: Field, value: number): void {
    if (this.active === undefined) this.#words[this.#at + field] = value
    else Atomics.store(this.#words, this.#at + field, value)
  }

  /** One more; returns how many that makes. */
  increment(field: Field): number {
    if (this.active === undefined) return ++this.#words[this.#at + field]!
    return Atomics.add(this.#words, this.#at + field, 1) + 1
  }

  /** Most of the time it is 0, and reading is cheaper than writing to what others read. */
  reset(field: Field): void {
    if (this.get(field) !== 0) this.set(field, 0)
  }

  /** What was counted, and counting begins anew. */
  take(field: Field): number {
    return Atomics.exchange(this.#words, this.#at + field, 0)
  }

  setFlag(flag: number, isSet: boolean): void {
    if (isSet) Atomics.or(this.#words, this.#at + FIELD.flags, flag)
    else Atomics.and(this.#words, this.#at + FIELD.flags, ~flag)
  }

  hasFlag(flag: number): boolean {
    return (this.get(FIELD.flags) & flag) !== 0
  }

  /** Milliseconds by the table's clock; NaN for never. */
  get ejectedMs(): number {
    return this.#times[this.#timesAt] as number
  }

  set ejectedMs(ms: number) {
    this.#times[this.#timesAt] = ms
  }

  get returnedMs(): number {
    return this.#times[this.#timesAt + 1] as number
  }

  set returnedMs(ms: number) {
    this.#times[this.#timesAt + 1] = ms
  }

  /** Nothing is known of the host but these flags. */
  clear(flags: number): void {
    this.#words.fill(0, this.#at, this.#at + FIELDS)
    this.#times.fill(Number.NaN, this.#timesAt, this.#timesAt + TIMES)
    this.set(FIELD.successRate, -FRACTION)
    this.set(FIELD.localSuccessRate, -FRACTION)
    this.set(FIELD.flags, flags)
  }
}
