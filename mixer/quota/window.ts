/** What is taken of a limit in a time. Amounts are whole; times are milliseconds of a clock that never goes back. */
export interface Window {
  /** Takes as much of `wanted` as there is, or all or nothing. Returns what was taken. */
  take(wanted: number, bestEffort: boolean, maxAmount: number, nowMs: number): number
  /** How much is taken now. */
  used(nowMs: number): number
  /** After how long something that was taken comes back; 0 when nothing is taken. */
  resetMs(nowMs: number): number
}

function grant(wanted: number, available: number, bestEffort: boolean): number {
  if (wanted <= available) return wanted
  return bestEffort ? Math.max(0, available) : 0
}

/** All comes back at once, when the window ends that began with the first taking. */
export class FixedWindow implements Window {
  readonly #windowMs: number
  #endMs = 0
  #used = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  take(wanted: number, bestEffort: boolean, maxAmount: number, nowMs: number): number {
    if (this.used(nowMs) === 0) this.#endMs = nowMs + this.#windowMs
    const granted = grant(wanted, maxAmount - this.#used, bestEffort)
    this.#used += granted
    return granted
  }

  used(nowMs: number): number {
    if (nowMs >= this.#endMs) this.#used = 0
    return this.#used
  }

  resetMs(nowMs: number): number {
    return this.used(nowMs) === 0 ? 0 : this.#endMs - nowMs
  }
}

const SLOTS = 32

/**
 * No window of this length, wherever it begins, holds more than the limit. What was taken is kept in slots, and a slot comes back when
 * its last moment has left the window: up to a slot (a thirty-second part of the window, or `slotMs`) later than to the moment.
 */
export class RollingWindow implements Window {
  readonly #slotMs: number
  readonly #slots: number
  readonly #amounts: Float64Array
  /** Counts slots since the clock's start. */
  #newest = 0
  #used = 0

  constructor(windowMs: number, slotMs = windowMs / SLOTS) {
    this.#slotMs = slotMs
    // One more than the window has, because the newest is not over yet.
    this.#slots = Math.ceil(windowMs / slotMs) + 1
    this.#amounts = new Float64Array(this.#slots)
  }

  take(wanted: number, bestEffort: boolean, maxAmount: number, nowMs: number): number {
    const granted = grant(wanted, maxAmount - this.used(nowMs), bestEffort)
    this.#amounts[this.#newest % this.#slots]! += granted
    this.#used += granted
    return granted
  }

  used(nowMs: number): number {
    const now = Math.floor(nowMs / this.#slotMs)
    if (now - this.#newest >= this.#slots) {
      this.#amounts.fill(0)
      this.#used = 0
      this.#newest = now
    }
    while (this.#newest < now) {
      this.#newest++
      const at = this.#newest % this.#slots
      this.#used -= this.#amounts[at] as number
      this.#amounts[at] = 0
    }
    return this.#used
  }

  resetMs(nowMs: number): number {
    if (this.used(nowMs) === 0) return 0
    for (let slot = this.#newest - this.#slots + 1; slot <= this.#newest; slot++) {
      if (slot >= 0 && (this.#amounts[slot % this.#slots] as number) > 0) {
        return (slot + this.#slots) * this.#slotMs - nowMs
      }
    }
    return 0
  }
}

/** What is taken stays taken. */
export class Allocation implements Window {
  #used = 0

  take(wanted: number, bestEffort: boolean, maxAmount: number): number {
    const granted = grant(wanted, maxAmount - this.#used, bestEffort)
    this.#used += granted
    return granted
  }

  used(): number {
    return this.#used
  }

  resetMs(): number {
    return 0
  }
}
