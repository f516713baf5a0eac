import type { Clock } from '../../lib/clock.ts'

/** Since when each missing thing has been waited for, and when the next of the waits is over. */
export class Waits {
  readonly #clock: Clock
  readonly #sinceMs = new Map<string, number>()
  #nextMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Begins a round of questions: nextMs is about the waits that are asked for from now on. */
  begin(): void {
    this.#nextMs = Number.POSITIVE_INFINITY
  }

  /** Whether this has been waited for since it was first asked for so long; 0 means for ever. */
  isOver(type: string, name: string, timeoutMs: number): boolean {
    const key = `${type}\n${name}`
    const nowMs = this.#clock.nowMs()
    let sinceMs = this.#sinceMs.get(key)
    if (sinceMs === undefined) {
      sinceMs = nowMs
      this.#sinceMs.set(key, nowMs)
    }
    if (timeoutMs === 0) return false
    const leftMs = sinceMs + timeoutMs - nowMs
    if (leftMs <= 0) return true
    this.#nextMs = Math.min(this.#nextMs, leftMs)
    return false
  }

  /** It was said that there is nothing to come: a wait that would end by itself ends now. */
  giveUp(type: string, name: string): void {
    this.#sinceMs.set(`${type}\n${name}`, Number.NEGATIVE_INFINITY)
  }

  /** How long until one more wait is over; Infinity when none will be. */
  get nextMs(): number {
    return this.#nextMs
  }

  /** Whatever of this type is not among the names is no longer waited for: if it is again, then from anew. */
  retain(type: string, names: { has(name: string): boolean }): void {
    for (const key of this.#sinceMs.keys()) {
      const at = key.indexOf('\n')
      if (key.slice(0, at) === type && !names.has(key.slice(at + 1))) this.#sinceMs.delete(key)
    }
  }
}
