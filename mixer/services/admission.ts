import type { Clock, Timer } from '../../lib/clock.ts'
import type { MixerStats } from '../rules/stats.ts'

export interface AdmissionOptions {
  /** So many calls may wait for their answers at once. */
  readonly maxUnderWay?: number
  /** When the process is so late with its timers, new calls are turned away; 0: never. */
  readonly maxLagMs?: number
}

const LOOK_EVERY_MS = 100

/** Whether there is room for one more call. What is turned away costs little; its proxy does then what its fail mode says. */
export class Admission {
  readonly #maxUnderWay: number
  readonly #maxLagMs: number
  readonly #clock: Clock
  readonly #stats: MixerStats
  #underWay = 0
  #lagMs = 0
  #timer: Timer | undefined

  constructor(clock: Clock, stats: MixerStats, { maxUnderWay = 1024, maxLagMs = 1000 }: AdmissionOptions = {}) {
    this.#maxUnderWay = maxUnderWay
    this.#maxLagMs = maxLagMs
    this.#clock = clock
    this.#stats = stats
    if (maxLagMs > 0) this.#look()
  }

  /** True: the caller must leave() when it has its answer. */
  enter(): boolean {
    const isLate = this.#maxLagMs > 0 && this.#lagMs > this.#maxLagMs
    if (this.#underWay >= this.#maxUnderWay || isLate) {
      this.#stats.shed.inc()
      return false
    }
    this.#stats.underWay.set(++this.#underWay)
    return true
  }

  leave(): void {
    this.#stats.underWay.set(--this.#underWay)
  }

  close(): void {
    this.#timer?.cancel()
  }

  #look(): void {
    const dueMs = this.#clock.nowMs() + LOOK_EVERY_MS
    this.#timer = this.#clock.setTimer(LOOK_EVERY_MS, () => {
      this.#lagMs = this.#clock.nowMs() - dueMs
      this.#look()
    })
  }
}
