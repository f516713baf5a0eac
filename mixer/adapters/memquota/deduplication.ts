import type { QuotaResult } from '../adapter.ts'

/** More askings are charged again. */
const MAX_KEPT = 50_000

/** Answers by who asked, kept for at least a given time and at most twice that (Mixer's dedup state). */
export class Deduplication {
  readonly #minimumMs: number
  #recent = new Map<string, QuotaResult>()
  #old = new Map<string, QuotaResult>()
  #turnedMs = 0

  constructor(minimumMs: number) {
    this.#minimumMs = minimumMs
  }

  find(id: string, nowMs: number): QuotaResult | undefined {
    if (id === '') return undefined
    const ageMs = nowMs - this.#turnedMs
    if (ageMs >= this.#minimumMs) {
      this.#old = ageMs < 2 * this.#minimumMs ? this.#recent : new Map()
      this.#recent = new Map()
      this.#turnedMs = nowMs
    }
    return this.#recent.get(id) ?? this.#old.get(id)
  }

  keep(id: string, result: QuotaResult): void {
    if (id !== '' && this.#recent.size < MAX_KEPT) this.#recent.set(id, result)
  }
}
