import type { Bound, Outcome } from './outcome.ts'
import { pairedRatio, type Spread, spread } from './statistics.ts'

/** Whether one bound holds, and by what figure. */
export interface Verdict {
  readonly bound: Bound
  /** undefined: a contender is missing. */
  readonly holds: boolean | undefined
  readonly figure: Spread
}

export function judge(outcome: Outcome, bound: Bound): Verdict {
  const ours = valuesOf(outcome, outcome.measure.held)
  const figure = bound.of === undefined ? spread(ours) : pairedRatio(ours, valuesOf(outcome, bound.of))
  if (!Number.isFinite(figure.median)) return { bound, holds: undefined, figure }
  const isLower = figure.median <= bound.times
  return { bound, holds: outcome.measure.better === 'lower' ? isLower : figure.median >= bound.times, figure }
}

export function valuesOf(outcome: Outcome, label: string): readonly number[] {
  return (outcome.samples.get(label) ?? []).map(({ value }) => value)
}
