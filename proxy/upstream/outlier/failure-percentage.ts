import type { OutlierPlan } from '../../plan/outlier-plan.ts'
import type { HostRate } from './success-rate.ts'

/** Hosts of which too many answers were failures (Envoy's failure percentage detector). */
export function failurePercentageOutliers<H>(rates: readonly HostRate<H>[], plan: OutlierPlan): H[] {
  const valid = rates.filter(({ volume }) => volume >= plan.failurePercentageRequestVolume)
  if (valid.length === 0 || valid.length < plan.failurePercentageMinimumHosts) return []
  return valid.filter(({ rate }) => 100 - rate >= plan.failurePercentageThreshold).map(({ host }) => host)
}
