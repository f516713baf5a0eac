/** What a host is ejected for: Envoy's envoy.data.cluster.v3.OutlierEjectionType, by the names of its counters. */
export const EJECTION_TYPES = [
  'consecutive_5xx',
  'consecutive_gateway_failure',
  'consecutive_local_origin_failure',
  'success_rate',
  'local_origin_success_rate',
  'failure_percentage',
  'local_origin_failure_percentage',
] as const
export type EjectionType = (typeof EJECTION_TYPES)[number]
