import type { EjectionType } from '../upstream/outlier/ejection-type.ts'

/** envoy.config.cluster.v3.OutlierDetection with Envoy's defaults filled in. */
export interface OutlierPlan {
  readonly consecutive5xx: number
  readonly consecutiveGatewayFailure: number
  readonly consecutiveLocalOriginFailure: number
  /** Per cent of what each detector finds that is ejected. */
  readonly enforcing: Readonly<Record<EjectionType, number>>
  readonly splitExternalLocalOriginErrors: boolean
  readonly intervalMs: number
  readonly baseEjectionTimeMs: number
  readonly maxEjectionTimeMs: number
  readonly maxEjectionTimeJitterMs: number
  readonly maxEjectionPercent: number
  readonly alwaysEjectOneHost: boolean
  readonly successRateMinimumHosts: number
  readonly successRateRequestVolume: number
  /** Thousandths of the standard deviation. */
  readonly successRateStdevFactor: number
  readonly failurePercentageThreshold: number
  readonly failurePercentageMinimumHosts: number
  readonly failurePercentageRequestVolume: number
  readonly successfulActiveHealthCheckUnejectHost: boolean
}
