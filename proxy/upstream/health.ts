/** Why a host is not as good as others, as bits (envoy's Host::HealthFlag). */
export const HEALTH_FLAG = {
  /** Its endpoint is told to be unhealthy, draining or timed out (envoy.config.core.v3.HealthStatus). */
  failedEds: 1,
  failedActiveCheck: 2,
  /** Outlier detection has ejected it. */
  failedOutlierCheck: 4,
  degradedEds: 8,
  degradedActiveCheck: 16,
  /** No longer among the endpoints, and kept while its checks succeed. Says nothing about its health. */
  pendingRemoval: 32,
  /** An answer of its own said that it fails (`x-envoy-immediate-health-check-fail`). Comes with failedActiveCheck. */
  immediateFailure: 64,
  /** Its last check failed by taking too long. Says nothing about its health by itself. */
  activeCheckTimeout: 128,
} as const

export type HealthFlag = (typeof HEALTH_FLAG)[keyof typeof HEALTH_FLAG]

export type Health = 'healthy' | 'degraded' | 'unhealthy'

const UNHEALTHY = HEALTH_FLAG.failedEds | HEALTH_FLAG.failedActiveCheck | HEALTH_FLAG.failedOutlierCheck
const DEGRADED = HEALTH_FLAG.degradedEds | HEALTH_FLAG.degradedActiveCheck

/** Flags that are found out here, and are the same for all threads of the process. */
export const FOUND_FLAGS = [
  HEALTH_FLAG.failedActiveCheck,
  HEALTH_FLAG.failedOutlierCheck,
  HEALTH_FLAG.degradedActiveCheck,
  HEALTH_FLAG.immediateFailure,
  HEALTH_FLAG.activeCheckTimeout,
] as const

export function healthOf(flags: number): Health {
  if ((flags & UNHEALTHY) !== 0) return 'unhealthy'
  return (flags & DEGRADED) === 0 ? 'healthy' : 'degraded'
}

/** Envoy's words for the flags, in its order (HostUtility::healthFlagsToString). */
const WORDS: readonly (readonly [flag: HealthFlag, word: string])[] = [
  [HEALTH_FLAG.failedActiveCheck, '/failed_active_hc'],
  [HEALTH_FLAG.failedOutlierCheck, '/failed_outlier_check'],
  [HEALTH_FLAG.failedEds, '/failed_eds_health'],
  [HEALTH_FLAG.degradedActiveCheck, '/degraded_active_hc'],
  [HEALTH_FLAG.degradedEds, '/degraded_eds_health'],
  [HEALTH_FLAG.pendingRemoval, '/pending_dynamic_removal'],
  [HEALTH_FLAG.immediateFailure, '/excluded_via_immediate_hc_fail'],
  [HEALTH_FLAG.activeCheckTimeout, '/active_hc_timeout'],
]

export function healthFlagsText(flags: number): string {
  let text = ''
  for (const [flag, word] of WORDS) if ((flags & flag) !== 0) text += word
  return text === '' ? 'healthy' : text
}
