/** Why a host is not as good as others, as bits (envoy's Host::HealthFlag). */
export const HEALTH_FLAG = {
  /** Its endpoint is told to be unhealthy, draining or timed out (envoy.config.core.v3.HealthStatus). */
  failedEds: 1,
  failedActiveCheck: 2,
  /** Outlier detection has ejected it. */
  failedOutlierCheck: 4,
  degradedEds: 8,
  degradedActiveCheck: 16,
} as const

export type HealthFlag = (typeof HEALTH_FLAG)[keyof typeof HEALTH_FLAG]

export type Health = 'healthy' | 'degraded' | 'unhealthy'

const UNHEALTHY = HEALTH_FLAG.failedEds | HEALTH_FLAG.failedActiveCheck | HEALTH_FLAG.failedOutlierCheck

export function healthOf(flags: number): Health {
  if ((flags & UNHEALTHY) !== 0) return 'unhealthy'
  return flags === 0 ? 'healthy' : 'degraded'
}
