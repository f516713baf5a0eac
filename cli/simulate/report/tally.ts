import { LatencyHistogram } from './histogram.ts'

/** What is counted of the calls that began in one slice of the time. */
export interface CallSlice {
  offered: number
  succeeded: number
  failed: number
  readonly latency: LatencyHistogram
}

/** Counts calls of one client, or to one service, by the time at which they began. */
export class CallTally {
  readonly slices: readonly CallSlice[]
  /** By status and response flag. */
  readonly failures = new Map<string, number>()
  readonly #sliceMs: number

  constructor(slices: number, sliceMs: number) {
    this.#sliceMs = sliceMs
    this.slices = Array.from({ length: slices }, () => ({
      offered: 0,
      succeeded: 0,
      failed: 0,
      latency: new LatencyHistogram(),
    }))
  }

  onBegin(nowMs: number): void {
    this.#sliceAt(nowMs).offered++
  }

  /** `reason` '' for a success. Those that fail have a latency too. */
  onEnd(beganMs: number, nowMs: number, reason: string): void {
    const slice = this.#sliceAt(beganMs)
    slice.latency.add(nowMs - beganMs)
    if (reason === '') slice.succeeded++
    else {
      slice.failed++
      this.failures.set(reason, (this.failures.get(reason) ?? 0) + 1)
    }
  }

  #sliceAt(ms: number): CallSlice {
    const index = Math.min(this.slices.length - 1, Math.floor(ms / this.#sliceMs))
    return this.slices[index] as CallSlice
  }
}

/** '' for a call that succeeded; otherwise its status with the proxy's own word for it. */
export function reasonOf(status: number, flag: string): string {
  if (status >= 200 && status < 400) return ''
  const text = status === 0 ? 'broken off' : String(status)
  return flag === '' ? text : `${text} ${flag}`
}
