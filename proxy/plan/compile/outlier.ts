import type { OutlierDetection } from '../../../api/gen/envoy/config/cluster/v3/outlier_detection_pb.js'
import type { OutlierPlan } from '../outlier-plan.ts'
import { refuse } from '../plan-error.ts'
import { durationMs } from './common.ts'

const PATH = 'outlier_detection'
const DEFAULT_INTERVAL_MS = 10_000
const DEFAULT_BASE_EJECTION_MS = 30_000
const DEFAULT_MAX_EJECTION_MS = 300_000

/** envoy.config.cluster.v3.OutlierDetection. Throws a PlanError that names the field. */
export function compileOutlierDetection(config: OutlierDetection): OutlierPlan {
  if (config.monitors.length > 0) refuse(`${PATH}.monitors`, 'not supported')
  const baseEjectionTimeMs = positive(config.baseEjectionTime, 'base_ejection_time', DEFAULT_BASE_EJECTION_MS)
  const longest = Math.max(DEFAULT_MAX_EJECTION_MS, baseEjectionTimeMs)
  const maxEjectionTimeMs = positive(config.maxEjectionTime, 'max_ejection_time', longest)
  if (maxEjectionTimeMs < baseEjectionTimeMs) {
    refuse(`${PATH}.max_ejection_time`, 'must not be smaller than base_ejection_time')
  }
  return {
    consecutive5xx: config.consecutive5xx ?? 5,
    consecutiveGatewayFailure: config.consecutiveGatewayFailure ?? 5,
    consecutiveLocalOriginFailure: config.consecutiveLocalOriginFailure ?? 5,
    enforcing: {
      consecutive_5xx: percent(config.enforcingConsecutive5xx, 'enforcing_consecutive_5xx', 100),
      consecutive_gateway_failure: percent(
        config.enforcingConsecutiveGatewayFailure,
        'enforcing_consecutive_gateway_failure',
        0,
      ),
      consecutive_local_origin_failure: percent(
        config.enforcingConsecutiveLocalOriginFailure,
        'enforcing_consecutive_local_origin_failure',
        100,
      ),
      success_rate: percent(config.enforcingSuccessRate, 'enforcing_success_rate', 100),
      local_origin_success_rate: percent(
        config.enforcingLocalOriginSuccessRate,
        'enforcing_local_origin_success_rate',
        100,
      ),
      failure_percentage: percent(config.enforcingFailurePercentage, 'enforcing_failure_percentage', 0),
      local_origin_failure_percentage: percent(
        config.enforcingFailurePercentageLocalOrigin,
        'enforcing_failure_percentage_local_origin',
        0,
      ),
    },
    splitExternalLocalOriginErrors: config.splitExternalLocalOriginErrors,
    intervalMs: positive(config.interval, 'interval', DEFAULT_INTERVAL_MS),
    baseEjectionTimeMs,
    maxEjectionTimeMs,
    maxEjectionTimeJitterMs: durationMs(config.maxEjectionTimeJitter, 0),
    maxEjectionPercent: percent(config.maxEjectionPercent, 'max_ejection_percent', 10),
    alwaysEjectOneHost: config.alwaysEjectOneHost ?? false,
    successRateMinimumHosts: config.successRateMinimumHosts ?? 5,
    successRateRequestVolume: config.successRateRequestVolume ?? 100,
    successRateStdevFactor: config.successRateStdevFactor ?? 1900,
    failurePercentageThreshold: percent(config.failurePercentageThreshold, 'failure_percentage_threshold', 85),
    failurePercentageMinimumHosts: config.failurePercentageMinimumHosts ?? 5,
    failurePercentageRequestVolume: config.failurePercentageRequestVolume ?? 50,
    successfulActiveHealthCheckUnejectHost: config.successfulActiveHealthCheckUnejectHost ?? true,
  }
}

function percent(value: number | undefined, field: string, absent: number): number {
  if (value !== undefined && value > 100) refuse(`${PATH}.${field}`, `${value} is more than 100`)
  return value ?? absent
}

/** Milliseconds of a duration that must be more than nothing. */
function positive(value: OutlierDetection['interval'], field: string, absent: number): number {
  const ms = durationMs(value, absent)
  return ms > 0 ? ms : refuse(`${PATH}.${field}`, 'must be more than 0')
}
