import { performance } from 'node:perf_hooks'

/** The only door to the wall clock: everything else takes a Clock, so that tests can stop time. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. May have a fraction. */
  nowMs(): number
  /** Milliseconds since the Unix epoch. */
  wallMs(): number
  /** Calls back once after at least `delayMs`. The timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void): Timer
}

export interface Timer {
  cancel(): void
}

export const systemClock: Clock = {
  // Not the global of this name, which is looked up, and asked for what it is, at each call.
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  setTimer(delayMs, callback) {
    const handle = setTimeout(callback, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/**
 * A clock that can be held: all that follows from one read of a connection, or of many at once, is done at the time of it, and to ask the
 * machine for each of the messages in it costs more than it tells.
 */
export class HeldClock implements Clock {
  readonly #clock: Clock
  #heldMs = 0
  #holds = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Until as many `release` as there were holds, which must follow before anything else can run. */
  hold(): void {
    if (this.#holds++ === 0) this.#heldMs = this.#clock.nowMs()
  }

  release(): void {
    this.#holds--
  }

  nowMs(): number {
    return this.#holds > 0 ? this.#heldMs : this.#clock.nowMs()
  }

  wallMs(): number {
    return this.#clock.wallMs()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, callback)
  }
}

interface PendingTimer {
  dueMs: number
  order: number
  callback: () => void
}

/** A clock that stands still until told to move: timers run in order of their due time while it moves. */
export class ManualClock implements Clock {
  #nowMs = 0
  #wallStartMs: number
  #timers: PendingTimer[] = []
  #order = 0

  constructor(wallStartMs = 0) {
    this.#wallStartMs = wallStartMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#wallStartMs + this.#nowMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback }
    this.#timers.push(entry)
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((t) => t !== entry)
      },
    }
  }

  get pendingTimers(): number {
    return this.#timers.length
  }

  advance(deltaMs: number): void {
    const endMs = this.#nowMs + deltaMs
    for (;;) {
      let next: PendingTimer | undefined
      for (const t of this.#timers) {
        if (t.dueMs > endMs) continue
        if (next === undefined || t.dueMs < next.dueMs || (t.dueMs === next.dueMs && t.order < next.order)) next = t
      }
      if (next === undefined) break
      this.#timers = this.#timers.filter((t) => t !== next)
      this.#nowMs = next.dueMs
      next.callback()
    }
    this.#nowMs = endMs
  }
}

/** How far the two clocks may drift apart before they are compared again. */
const COMPARED_EVERY_MS = 1000

/** Turns times of a clock's monotonic side into those of its wall side without asking it each time. */
export class WallTimes {
  readonly #clock: Clock
  #aheadMs = 0
  #compareAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whole milliseconds since the Unix epoch; `nowMs` is of this moment, or of one little before. */
  at(nowMs: number): number {
    if (nowMs >= this.#compareAtMs) {
      this.#aheadMs = this.#clock.wallMs() - this.#clock.nowMs()
      this.#compareAtMs = nowMs + COMPARED_EVERY_MS
    }
    return Math.round(nowMs + this.#aheadMs)
  }
}

/** Milliseconds since an arbitrary start that all threads of this machine have in common. Never goes back. */
export function machineMs(): number {
  return MACHINE_START_MS + performance.now()
}

/** Each thread begins to count anew. */
const MACHINE_START_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now()
