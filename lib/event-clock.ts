import type { Clock, Timer } from './clock.ts'

class Event implements Timer {
  readonly dueMs: number
  readonly order: number
  callback: (() => void) | undefined
  readonly #clock: EventClock

  constructor(clock: EventClock, dueMs: number, order: number, callback: () => void) {
    this.#clock = clock
    this.dueMs = dueMs
    this.order = order
    this.callback = callback
  }

  cancel(): void {
    if (this.callback === undefined) return
    this.callback = undefined
    this.#clock.onCancelled()
  }
}

/** Fewer cancelled events than this are not worth a clean-up. */
const MIN_CANCELLED = 1024

function isBefore(a: Event, b: Event): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}

/**
 * A clock for simulations: time goes from event to event, as fast as they can be worked off. Timers run in order of their due
 * time, those of one time in the order in which they were set, as with a ManualClock; but with millions of them.
 */
export class EventClock implements Clock {
  #nowMs = 0
  readonly #wallStartMs: number
  /** A binary heap, the next event first. */
  #heap: Event[] = []
  #order = 0
  #cancelled = 0
  #ran = 0

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
    const event = new Event(this, this.#nowMs + Math.max(0, delayMs), this.#order++, callback)
    this.#heap.push(event)
    this.#rise(this.#heap.length - 1)
    return event
  }

  get pendingTimers(): number {
    return this.#heap.length - this.#cancelled
  }

  /** Events that were worked off since the beginning. */
  get ran(): number {
    return this.#ran
  }

  /** Works off all that is due up to this time, what is set meanwhile included, and stands there then. */
  runUntil(endMs: number): void {
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.dueMs > endMs) break
      this.#takeFirst()
      const { callback } = next
      if (callback === undefined) {
        this.#cancelled--
        continue
      }
      // It can no longer be cancelled.
      next.callback = undefined
      this.#nowMs = next.dueMs
      this.#ran++
      callback()
    }
    if (endMs > this.#nowMs) this.#nowMs = endMs
  }

  /** @internal */
  onCancelled(): void {
    this.#cancelled++
    if (this.#cancelled < MIN_CANCELLED || this.#cancelled * 2 < this.#heap.length) return
    this.#heap = this.#heap.filter((event) => event.callback !== undefined)
    this.#cancelled = 0
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i)
  }

  #takeFirst(): void {
    const heap = this.#heap
    const last = heap.pop() as Event
    if (heap.length === 0) return
    heap[0] = last
    this.#sink(0)
  }

  #rise(from: number): void {
    const heap = this.#heap
    const event = heap[from] as Event
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Event
      if (!isBefore(event, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = event
  }

  #sink(from: number): void {
    const heap = this.#heap
    const event = heap[from] as Event
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++
      const below = heap[child] as Event
      if (!isBefore(below, event)) break
      heap[at] = below
      at = child
    }
    heap[at] = event
  }
}
