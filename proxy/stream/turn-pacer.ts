import type { Clock } from '../../lib/clock.ts'
import type { EventLoop } from '../../lib/event-loop.ts'
import type { Metric } from '../../lib/metrics/store.ts'

/** How long a turn waits unless told otherwise. Linux makes some 100 us of it: it lets timers be 50 us late. */
export const TURN_WAIT_US = 50

/** Whether to wait is decided anew after so long. */
const WINDOW_MS = 10
/** A thread that turns less often has no need to wait: by itself, and with the waits, which make turns larger. */
const MIN_TURNS_PER_MS = 2
const MIN_PACED_TURNS_PER_MS = 1
/** With fewer calls under way, or shorter ones, a wait would gather little and be much of what each call takes. */
const MIN_CALLS = 32
const MIN_CALL_MS = 0.5
/** A longer call counts as one of so long: a stream that ends after hours says nothing of what goes on now. */
const MAX_CALL_MS = 100
/**
 * A thread that is behind finds at its door, at each turn, a good part of all calls under way. One that has time left is known not to
 * be; of one that has none, and may only be woken often, less is believed.
 */
const MAX_PART_A_TURN = 1 / 8
const MAX_PART_WITHOUT_TIME = 1 / 16
/** So much of its time, the waits included, must a thread have nothing to do: to go on with waits, and to be one with time left. */
const MIN_FREE = 0.1
/** So many windows pass before it tries again when its time was not enough. */
const HELD_WINDOWS = 100

export interface TurnPacerOptions {
  clock: Clock
  loop: EventLoop
  waitMs: number
  /** Counts how often it waited. */
  waits: Metric
}

/**
 * Has a thread that handles many calls over HTTP/2 wait a moment at the end of a turn of its event loop, so that the next
 * turn has more of them. Many frames of one connection are read, and answered, by one system call; a thread that is
 * woken for each pays a read, a poll and a write for one or two calls. Network cards do the same, and call it interrupt
 * moderation. Only time that is left over is spent: never that of a thread which is behind, nor of one with few calls,
 * whose clients would wait for nothing.
 */
export class TurnPacer {
  readonly #options: TurnPacerOptions | undefined
  #isPacing = false
  /** Frames left in this turn. */
  #hasFrames = false
  /** Windows in which it must not wait. */
  #held = 0
  // Of this window:
  #startMs = 0
  #startIdleMs = 0
  #turns = 0
  #waitedMs = 0
  #calls = 0
  #callsMs = 0

  /** Without options it never waits. */
  constructor(options?: TurnPacerOptions) {
    this.#options = options
  }

  /** A call is over. */
  onCall(durationMs: number): void {
    this.#calls++
    this.#callsMs += Math.min(durationMs, MAX_CALL_MS)
  }

  /** Frames of HTTP/2 leave in this turn. */
  onFrames(): void {
    this.#hasFrames = true
  }

  /** All that was said in this turn has left. */
  onTurnEnd(): void {
    if (!this.#hasFrames) return
    this.#hasFrames = false
    const options = this.#options
    if (options === undefined) return
    const { clock, loop } = options
    const nowMs = clock.nowMs()
    this.#turns++
    if (nowMs - this.#startMs >= WINDOW_MS) this.#judge(nowMs, loop.idleMs())
    if (!this.#isPacing) return
    loop.stop(options.waitMs)
    this.#waitedMs += clock.nowMs() - nowMs
    options.waits.inc()
  }

  /** Decides about the next window by what the last one was like. */
  #judge(nowMs: number, idleMs: number): void {
    const elapsedMs = nowMs - this.#startMs
    const turns = this.#turns
    const calls = this.#calls
    // Little's law.
    const underWay = this.#callsMs / elapsedMs
    const minTurns = (this.#isPacing ? MIN_PACED_TURNS_PER_MS : MIN_TURNS_PER_MS) * elapsedMs
    const isBusy = turns >= minTurns && underWay >= MIN_CALLS && this.#callsMs >= MIN_CALL_MS * calls
    const hasTime = idleMs - this.#startIdleMs + this.#waitedMs >= MIN_FREE * elapsedMs
    if (this.#held > 0) this.#held--
    else if (!this.#isPacing) {
      const maxPart = hasTime ? MAX_PART_A_TURN : MAX_PART_WITHOUT_TIME
      this.#isPacing = isBusy && calls < turns * underWay * maxPart
    } else {
      this.#isPacing = isBusy && hasTime
      if (!hasTime) this.#held = HELD_WINDOWS
    }
    this.#startMs = nowMs
    this.#startIdleMs = idleMs
    this.#turns = 0
    this.#waitedMs = 0
    this.#calls = 0
    this.#callsMs = 0
  }
}
