/** What a figure is held against: `times` the figure of the contender `of` in the same round, or without one a figure itself. */
export interface Bound {
  readonly of?: string
  readonly times: number
}

export interface Measure {
  /** What is measured, under what load. */
  readonly title: string
  readonly unit: string
  /** Digits after the point. */
  readonly digits: number
  readonly better: 'lower' | 'higher'
  /** The contender that ratios are of, paired by round. */
  readonly reference: string
  /** The contender that is held to the bounds. */
  readonly held: string
  readonly must: Bound
  readonly reach: Bound
}

/** One round of one contender. */
export interface Sample {
  readonly value: number
  readonly requestsPerSecond?: number
}

/** A measure with its samples by contender, in order of rounds: the i-th of all were taken in the same round. */
export interface Outcome {
  readonly measure: Measure
  readonly samples: ReadonlyMap<string, readonly Sample[]>
  /** For the reader: what was not measured, and why. */
  readonly notes: readonly string[]
}
