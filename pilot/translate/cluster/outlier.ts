import { create } from '@bufbuild/protobuf'
import {
  type OutlierDetection as EnvoyOutlierDetection,
  OutlierDetectionSchema,
} from '../../../api/gen/envoy/config/cluster/v3/outlier_detection_pb.js'
import type { OutlierDetection } from '../../../crds/kinds/destination-rule.ts'
import { durationOf } from '../messages.ts'

/**
 * Istio's applyOutlierDetection: only consecutive failures count, ejection by success rate is off. What is not given
 * is Envoy's default. A count of 0 switches its detector off.
 */
export function outlierDetection(settings: OutlierDetection): EnvoyOutlierDetection {
  const interval = durationOf(settings.interval)
  const baseEjectionTime = durationOf(settings.baseEjectionTime)
  const maxEjectionPercent = settings.maxEjectionPercent ?? 0
  return create(OutlierDetectionSchema, {
    ...(interval && { interval }),
    ...(baseEjectionTime && { baseEjectionTime }),
    ...(maxEjectionPercent > 0 && { maxEjectionPercent }),
    enforcingSuccessRate: 0,
    ...consecutive5xx(settings.consecutive5xxErrors),
    ...gatewayFailures(settings.consecutiveGatewayErrors),
    ...(settings.splitExternalLocalOriginErrors && localOrigin(settings.consecutiveLocalOriginFailures)),
  })
}

function consecutive5xx(count: number | undefined) {
  if (count === undefined) return {}
  return { consecutive5xx: count, enforcingConsecutive5xx: enforced(count) }
}

function gatewayFailures(count: number | undefined) {
  if (count === undefined) return {}
  return { consecutiveGatewayFailure: count, enforcingConsecutiveGatewayFailure: enforced(count) }
}

function localOrigin(count: number | undefined) {
  return {
    splitExternalLocalOriginErrors: true,
    enforcingLocalOriginSuccessRate: 0,
    ...(count !== undefined &&
      count > 0 && { consecutiveLocalOriginFailure: count, enforcingConsecutiveLocalOriginFailure: 100 }),
  }
}

function enforced(count: number): number {
  return count > 0 ? 100 : 0
}
