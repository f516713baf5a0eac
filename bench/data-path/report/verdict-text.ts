import type { Outcome } from '../outcome.ts'
import { judge } from '../verdict.ts'
import { rangeText } from './rows.ts'

/** `must at most 0.35 of envoy: holds, 0.31 (0.30..0.33)`. */
export function verdictText(outcome: Outcome, which: 'must' | 'reach'): string {
  const { measure } = outcome
  const { bound, holds, figure } = judge(outcome, measure[which])
  const side = measure.better === 'lower' ? 'at most' : 'at least'
  const limit = bound.of === undefined ? `${bound.times} ${measure.unit}` : `${bound.times} of ${bound.of}`
  const digits = bound.of === undefined ? measure.digits : 2
  const found =
    holds === undefined
      ? 'not measured'
      : `${holds ? 'holds' : 'does not hold'}, ${figure.median.toFixed(digits)} (${rangeText(figure, digits)})`
  return `${which} ${side} ${limit}: ${found}`
}
