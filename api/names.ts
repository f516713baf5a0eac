/** Istio's names for clusters: `direction|port|subset|host`, e.g. `outbound|9080|v2|reviews.default.svc.cluster.local`. */
export interface ClusterName {
  direction: 'outbound' | 'inbound'
  port: number
  subset: string
  host: string
}

export function formatClusterName(name: ClusterName): string {
  return `${name.direction}|${name.port}|${name.subset}|${name.host}`
}

/** undefined when the name is not of Istio's form (a static cluster of a hand-written bootstrap, say). */
export function parseClusterName(text: string): ClusterName | undefined {
  const [direction, port, subset, host, ...rest] = text.split('|')
  if ((direction !== 'outbound' && direction !== 'inbound') || rest.length > 0) return undefined
  if (port === undefined || subset === undefined || host === undefined || !/^\d+$/.test(port)) return undefined
  return { direction, port: Number(port), subset, host }
}

/** The same names as TLS asks for them by SNI: `outbound_.9080_.v2_.reviews.default.svc.cluster.local`. */
export function formatSniName({ direction, port, subset, host }: ClusterName): string {
  return `${direction}_.${port}_.${subset}_.${host}`
}

/** Clusters that exist in every sidecar whatever its configuration. */
export const BLACK_HOLE_CLUSTER = 'BlackHoleCluster'
export const PASSTHROUGH_CLUSTER = 'PassthroughCluster'
export const INBOUND_PASSTHROUGH_CLUSTER = 'InboundPassthroughCluster'

/** Istio's names for a workload's own certificate, which only its agent has, and for the roots that it trusts (SDS). */
export const OWN_CERTIFICATE = 'default'
export const TRUSTED_ROOTS = 'ROOTCA'
