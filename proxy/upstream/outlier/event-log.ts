import type { Logger } from '../../../lib/log.ts'
import type { EjectionType } from './ejection-type.ts'
import type { RateThreshold } from './success-rate.ts'

/** What is said of an ejection or a return (envoy.data.cluster.v3.OutlierDetectionEvent). */
export interface OutlierEvent {
  readonly cluster: string
  readonly host: string
  readonly action: 'eject' | 'uneject'
  /** Absent for a return. */
  readonly type?: EjectionType
  /** Whether it was only found, by a detector that ejects some of the time. */
  readonly enforced?: boolean
  readonly num_ejections: number
  /** Since the return or ejection before; -1 for none. */
  readonly secs_since_last_action: number
  readonly host_success_rate?: number
  readonly cluster_average_success_rate?: number
  readonly cluster_success_rate_ejection_threshold?: number
}

export function logOutlier(log: Logger, event: OutlierEvent): void {
  log.info('outlier detection', { ...event })
}

/** The part of an event that is about rates. */
export function rateFields(hostRate: number, { average, threshold }: RateThreshold) {
  return {
    host_success_rate: hostRate,
    cluster_average_success_rate: average,
    cluster_success_rate_ejection_threshold: threshold,
  }
}
