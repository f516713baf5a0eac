import type { OutlierPlan } from '../../plan/outlier-plan.ts'
import { HEALTH_FLAG } from '../health.ts'
import type { Host } from '../host.ts'
import { FIELD, type Field, FRACTION, type HostRecord } from '../host-table/host-record.ts'
import type { Ejection } from './ejection.ts'
import type { EjectionType } from './ejection-type.ts'
import { rateFields } from './event-log.ts'
import { failurePercentageOutliers } from './failure-percentage.ts'
import type { OutlierStats } from './stats.ts'
import { type HostRate, type RateThreshold, successRateOutliers, successRateThreshold } from './success-rate.ts'

/** Where one kind of answers is counted, and what hosts are ejected for that have too few good ones. */
interface Kind {
  readonly total: Field
  readonly successes: Field
  readonly rate: Field
  readonly bySuccessRate: EjectionType
  readonly byFailurePercentage: EjectionType
}

export const EXTERNAL: Kind = {
  total: FIELD.total,
  successes: FIELD.successes,
  rate: FIELD.successRate,
  bySuccessRate: 'success_rate',
  byFailurePercentage: 'failure_percentage',
}
export const LOCAL_ORIGIN: Kind = {
  total: FIELD.localTotal,
  successes: FIELD.localSuccesses,
  rate: FIELD.localSuccessRate,
  bySuccessRate: 'local_origin_success_rate',
  byFailurePercentage: 'local_origin_failure_percentage',
}

interface Swept {
  readonly host: Host
  readonly record: HostRecord
}

/**
 * What is done once an interval, by one thread: hosts whose time is over come back, and those whose rates of the interval
 * are bad are ejected (Envoy's DetectorImpl::onIntervalTimer).
 */
export function sweep(
  hosts: Iterable<Host>,
  plan: OutlierPlan,
  ejection: Ejection,
  stats: OutlierStats,
): RateThresholds {
  const swept: Swept[] = []
  for (const host of hosts) if (host.record !== undefined) swept.push({ host, record: host.record })
  for (const { host, record } of swept) ejection.review(host, record)
  return {
    external: judge(swept, plan, ejection, stats, EXTERNAL),
    localOrigin: judge(swept, plan, ejection, stats, LOCAL_ORIGIN),
  }
}

/** For the admin page: undefined where too little happened. */
export interface RateThresholds {
  readonly external: RateThreshold | undefined
  readonly localOrigin: RateThreshold | undefined
}

function judge(
  swept: readonly Swept[],
  plan: OutlierPlan,
  ejection: Ejection,
  stats: OutlierStats,
  kind: Kind,
): RateThreshold | undefined {
  const rates = takeRates(swept, plan, kind)
  const threshold = successRateThreshold(rates, plan)
  if (threshold !== undefined) {
    for (const { host, record } of successRateOutliers(rates, plan, threshold)) {
      if (kind === EXTERNAL) stats.ejections_success_rate.inc()
      const rate = record.get(kind.rate) / FRACTION
      ejection.eject(host, record, kind.bySuccessRate, rateFields(rate, threshold))
    }
  }
  for (const { host, record } of failurePercentageOutliers(rates, plan)) {
    ejection.eject(host, record, kind.byFailurePercentage, { host_success_rate: record.get(kind.rate) / FRACTION })
  }
  return threshold
}

/** The rates of the interval that is over, of hosts that are not ejected; counting begins anew for all. */
function takeRates(swept: readonly Swept[], plan: OutlierPlan, kind: Kind): HostRate<Swept>[] {
  const rates: HostRate<Swept>[] = []
  const least = Math.min(plan.successRateRequestVolume, plan.failurePercentageRequestVolume)
  const isEnough = swept.length >= plan.successRateMinimumHosts || swept.length >= plan.failurePercentageMinimumHosts
  for (const one of swept) {
    const volume = one.record.take(kind.total)
    // An answer may be counted between the two.
    const successes = Math.min(volume, one.record.take(kind.successes))
    one.record.set(kind.rate, -FRACTION)
    if (!isEnough || volume === 0 || one.record.hasFlag(HEALTH_FLAG.failedOutlierCheck)) continue
    const rate = (100 * successes) / volume
    if (volume >= least) one.record.set(kind.rate, Math.round(rate * FRACTION))
    rates.push({ host: one, rate, volume })
  }
  return rates
}
