/** Who a request of the load comes from. */
export type Sender = 'test users' | 'others'

/** One request of the load and what became of it. Times are of the system clock. */
export interface Sample {
  readonly sender: Sender
  /** When it was due, which is when a user would have begun to wait. */
  readonly sentMs: number
  readonly doneMs: number
  /** The version that answered; '' when it failed. */
  readonly version: string
  /** Why it failed; '' when the answer was 200 and told its version. */
  readonly error: string
}

/** What share of whose requests a version is to answer. */
export interface Share {
  readonly who: Sender | 'everyone'
  readonly version: string
  /** 0 to 1. */
  readonly asked: number
}

export interface MeasuredShare extends Share {
  readonly answers: number
  /** Of all answers to the same senders. */
  readonly total: number
  readonly isWithin: boolean
}

/** Chance moves a count further than this from what was asked once in 16,000 times. */
const MAX_DEVIATIONS = 4

/** Compares what was asked with the samples. Failed requests are nobody's answers. */
export function measure(shares: readonly Share[], samples: readonly Sample[]): MeasuredShare[] {
  return shares.map((share) => {
    const answered = samples.filter((s) => s.error === '' && (share.who === 'everyone' || s.sender === share.who))
    const answers = answered.filter((sample) => sample.version === share.version).length
    const total = answered.length
    return { ...share, answers, total, isWithin: total > 0 && isLikely(answers, total, share.asked) }
  })
}

/** Whether a count is within four standard deviations of the binomial. None or all must be none or all. */
export function isLikely(count: number, total: number, share: number): boolean {
  const deviation = Math.sqrt(total * share * (1 - share))
  return Math.abs(count - total * share) <= MAX_DEVIATIONS * deviation
}

/** The smallest value that a part `q` of the values do not exceed; NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] ?? Number.NaN
}

/** Latencies of the requests that were answered. */
export function latenciesMs(samples: readonly Sample[]): number[] {
  return samples.filter((sample) => sample.error === '').map((sample) => sample.doneMs - sample.sentMs)
}
