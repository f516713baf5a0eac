import type { TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'

/**
 * Tells when nothing has passed on a stream for a while. Its timer is not touched for what passes, nor for each request: it
 * looks when it fires how long nothing has, and goes on waiting.
 */
export class IdleWatch {
  readonly #wheel: TimerWheel
  readonly #timer: WheelTimer
  #timeoutMs = 0
  /** What the timer was armed for; a longer time-out waits for it to fire. */
  #armedMs = 0
  #lastActivityMs = 0

  /** `timer` calls isDue() when it fires. */
  constructor(wheel: TimerWheel, timer: WheelTimer) {
    this.#wheel = wheel
    this.#timer = timer
  }

  /** Watches from now on; 0 never tells. */
  watch(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs
    this.#lastActivityMs = this.#wheel.coarseNowMs
    if (timeoutMs === 0 || (this.#timer.armed && timeoutMs >= this.#armedMs)) return
    this.#arm(timeoutMs)
  }

  /** Something has passed. */
  touch(): void {
    this.#lastActivityMs = this.#wheel.coarseNowMs
  }

  /** Asked when the timer fires: whether nothing has passed for long enough. If not, goes on waiting. */
  isDue(mayEnd: boolean): boolean {
    if (this.#timeoutMs === 0) return false
    const leftMs = this.#timeoutMs - (this.#wheel.coarseNowMs - this.#lastActivityMs)
    if (leftMs <= 0 && mayEnd) return true
    this.#arm(Math.max(leftMs, 1))
    return false
  }

  stop(): void {
    this.#wheel.disarm(this.#timer)
  }

  #arm(delayMs: number): void {
    this.#armedMs = delayMs
    this.#wheel.arm(this.#timer, delayMs)
  }
}
