/** xDS v3 resource type URLs (envoy/service/discovery/v3, "type.googleapis.com/" + message name). */
export const TYPE_URL = {
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  virtualHost: 'type.googleapis.com/envoy.config.route.v3.VirtualHost',
  endpoint: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
} as const

export type ResourceType = keyof typeof TYPE_URL
export type TypeUrl = (typeof TYPE_URL)[ResourceType]

/** Short names as operators know them from Envoy. */
export const SHORT_TYPE: Record<TypeUrl, string> = {
  [TYPE_URL.cluster]: 'CDS',
  [TYPE_URL.endpoint]: 'EDS',
  [TYPE_URL.listener]: 'LDS',
  [TYPE_URL.route]: 'RDS',
  [TYPE_URL.virtualHost]: 'VHDS',
  [TYPE_URL.secret]: 'SDS',
}

/** The order in which a generation is sent, so that nothing is named before it exists (make before break). */
export const PUSH_ORDER: readonly TypeUrl[] = [
  TYPE_URL.cluster,
  TYPE_URL.endpoint,
  TYPE_URL.listener,
  TYPE_URL.route,
  TYPE_URL.virtualHost,
  TYPE_URL.secret,
]

export function isTypeUrl(value: string): value is TypeUrl {
  return value in SHORT_TYPE
}
