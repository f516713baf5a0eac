import type { Outcome } from '../outcome.ts'
import { pairedRatio, type Spread, spread } from '../statistics.ts'
import { valuesOf } from '../verdict.ts'

/** A contender's line in a table, as text. */
export interface Row {
  readonly label: string
  readonly value: string
  readonly range: string
  /** Median of the ratios within each round. */
  readonly ratio: string
  readonly ratioRange: string
  /** Empty where it was not measured. */
  readonly requestsPerSecond: string
}

export function rowsOf(outcome: Outcome): readonly Row[] {
  const { digits, reference } = outcome.measure
  const references = valuesOf(outcome, reference)
  return [...outcome.samples].map(([label, samples]) => {
    const values = samples.map(({ value }) => value)
    const value = spread(values)
    const ratio = pairedRatio(values, references)
    const rate = spread(samples.map(({ requestsPerSecond }) => requestsPerSecond ?? Number.NaN)).median
    return {
      label,
      value: value.median.toFixed(digits),
      range: rangeText(value, digits),
      ratio: Number.isNaN(ratio.median) ? '' : ratio.median.toFixed(2),
      ratioRange: Number.isNaN(ratio.median) ? '' : rangeText(ratio, 2),
      requestsPerSecond: Number.isNaN(rate) ? '' : rate.toFixed(0),
    }
  })
}

export function rangeText({ low, high }: Spread, digits: number): string {
  return `${low.toFixed(digits)}..${high.toFixed(digits)}`
}
