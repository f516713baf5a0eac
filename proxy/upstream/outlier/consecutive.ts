import type { OutlierPlan } from '../../plan/outlier-plan.ts'
import { FIELD, type Field } from '../host-table/host-record.ts'
import type { EjectionType } from './ejection-type.ts'

/** A detector of so many failures one after another. */
export interface ConsecutiveDetector {
  readonly type: EjectionType
  /** Where a host's failures are counted. */
  readonly field: Field
  /** It detects when there are exactly so many; 0 never comes. */
  readonly threshold: number
}

export function consecutive5xx(plan: OutlierPlan): ConsecutiveDetector {
  return { type: 'consecutive_5xx', field: FIELD.consecutive5xx, threshold: plan.consecutive5xx }
}

export function consecutiveGatewayFailure(plan: OutlierPlan): ConsecutiveDetector {
  const threshold = plan.consecutiveGatewayFailure
  return { type: 'consecutive_gateway_failure', field: FIELD.consecutiveGatewayFailure, threshold }
}

export function consecutiveLocalOriginFailure(plan: OutlierPlan): ConsecutiveDetector {
  const threshold = plan.consecutiveLocalOriginFailure
  return { type: 'consecutive_local_origin_failure', field: FIELD.consecutiveLocalOriginFailure, threshold }
}
