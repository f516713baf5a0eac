import type { ClusterPlan } from '../../plan/plan.ts'
import type { ServiceFacts } from '../../plan/workload.ts'

/** Clusters and routes of Istio that stand for no service: they name the destination themselves. */
const NAMELESS_CLUSTERS: ReadonlySet<string> = new Set([
  'BlackHoleCluster',
  'PassthroughCluster',
  'InboundPassthroughCluster',
  'InboundPassthroughClusterIpv4',
  'InboundPassthroughClusterIpv6',
])
const NAMELESS_ROUTES: Readonly<Record<string, string>> = {
  block_all: 'BlackHoleCluster',
  allow_any: 'PassthroughCluster',
}

/**
 * The service that was called: the one that the cluster's metadata names, else the host that was asked for where `host` is given, as
 * in Istio's filter. `namespace` is that of the workload which answered.
 */
export function serviceOf(
  cluster: ClusterPlan | undefined,
  routeName: string,
  host: string,
  namespace: string,
): ServiceFacts {
  const nameless =
    NAMELESS_ROUTES[routeName] ?? (NAMELESS_CLUSTERS.has(cluster?.name ?? '') ? cluster?.name : undefined)
  if (nameless !== undefined) return { host, name: nameless, namespace }
  const service = cluster?.service
  if (service === undefined) return { host, name: host, namespace }
  return service.namespace === '' ? { ...service, namespace } : service
}
