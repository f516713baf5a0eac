import type { OutlierPlan } from '../../plan/outlier-plan.ts'

/** How a host did in the interval that is over. */
export interface HostRate<H> {
  readonly host: H
  /** Per cent of its answers that were good. */
  readonly rate: number
  /** How many there were. */
  readonly volume: number
}

export interface RateThreshold {
  readonly average: number
  /** Whoever is below it is an outlier. */
  readonly threshold: number
}

/**
 * What rate is too low, by the mean of all hosts and how far they are from it (Envoy's success rate detector): of 50, 100,
 * 100, 100 and 100 with a factor of 1.9 it is 52. undefined when too few hosts had enough answers.
 */
export function successRateThreshold<H>(rates: readonly HostRate<H>[], plan: OutlierPlan): RateThreshold | undefined {
  const valid = rates.filter(({ volume }) => volume >= plan.successRateRequestVolume)
  if (valid.length === 0 || valid.length < plan.successRateMinimumHosts) return undefined
  const average = valid.reduce((sum, { rate }) => sum + rate, 0) / valid.length
  const variance = valid.reduce((sum, { rate }) => sum + (rate - average) ** 2, 0) / valid.length
  return { average, threshold: average - Math.sqrt(variance) * (plan.successRateStdevFactor / 1000) }
}

export function successRateOutliers<H>(
  rates: readonly HostRate<H>[],
  plan: OutlierPlan,
  { threshold }: RateThreshold,
): H[] {
  return rates
    .filter(({ volume, rate }) => volume >= plan.successRateRequestVolume && rate < threshold)
    .map(({ host }) => host)
}
