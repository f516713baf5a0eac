import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { ClusterPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import type { ServiceFacts } from '../workload.ts'
import { compileBalancing } from './balancing.ts'
import { compileCircuitBreakers } from './circuit-breakers.ts'
import { durationMs, originOf } from './common.ts'
import { compileEndpoints } from './endpoints.ts'
import { compileHealthCheck } from './health-check.ts'
import { notHonoured } from './honoured.ts'
import { compileHostSets } from './host-sets.ts'
import { compileHttpOptions } from './http-options.ts'
import { compileOutlierDetection } from './outlier.ts'
import { socketsKey } from './sockets-key.ts'
import { compileUpstreamTls } from './transport-socket.ts'

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000
const DEFAULT_DNS_REFRESH_MS = 5_000

/** envoy.config.cluster.v3.Cluster. Throws a PlanError that names the field. */
export function compileCluster(cluster: Cluster, resourceVersion: string): ClusterPlan {
  if (cluster.name === '') refuse('name', 'a cluster needs a name')

  const discovery = discoveryOf(cluster)
  const http = compileHttpOptions(cluster)
  return {
    name: cluster.name,
    discovery,
    edsServiceName: cluster.edsClusterConfig?.serviceName || cluster.name,
    tls: compileUpstreamTls(cluster.transportSocket, http.tls),
    socketMatches: cluster.transportSocketMatches.map((match, i) => ({
      name: match.name,
      criteria: Object.entries(match.match ?? {}),
      tls: compileUpstreamTls(match.transportSocket, http.tls, `transport_socket_matches[${i}].transport_socket`),
    })),
    socketsKey: socketsKey(cluster, http.tls),
    balancing: compileBalancing(cluster),
    connectTimeoutMs: durationMs(cluster.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
    ...http.plan,
    ...compileCircuitBreakers(cluster.circuitBreakers),
    ...compileHostSets(cluster),
    outlier: cluster.outlierDetection && compileOutlierDetection(cluster.outlierDetection),
    healthCheck: compileHealthCheck(cluster, http.plan.protocol),
    ignoresHealthOnHostRemoval: cluster.ignoreHealthOnHostRemoval,
    closesOnHealthFailure: cluster.closeConnectionsOnHostHealthFailure,
    dnsRefreshMs: durationMs(cluster.dnsRefreshRate, DEFAULT_DNS_REFRESH_MS),
    endpoints: cluster.loadAssignment === undefined ? [] : compileEndpoints(cluster.loadAssignment, 'load_assignment'),
    ignored: notHonoured(ClusterSchema, cluster),
    service: serviceOf(cluster),
    origin: originOf(cluster.metadata),
    resourceVersion,
  }
}

function discoveryOf(cluster: Cluster): ClusterPlan['discovery'] {
  const { clusterDiscoveryType } = cluster
  if (clusterDiscoveryType.case === 'clusterType') {
    return refuse('cluster_type', `${clusterDiscoveryType.value.name} is not supported`)
  }
  switch (clusterDiscoveryType.value ?? DiscoveryType.STATIC) {
    case DiscoveryType.STATIC:
      return 'static'
    case DiscoveryType.EDS:
      return 'eds'
    case DiscoveryType.STRICT_DNS:
      return 'strict_dns'
    case DiscoveryType.LOGICAL_DNS:
      return 'logical_dns'
    case DiscoveryType.ORIGINAL_DST:
      return 'original_dst'
    default:
      return refuse('type', 'not supported')
  }
}

/** The first of the services that Istio's pilot names in a cluster's metadata. */
function serviceOf({ metadata }: Cluster): ServiceFacts | undefined {
  const services = metadata?.filterMetadata.istio?.services
  const first = Array.isArray(services) ? services[0] : undefined
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return undefined
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return { host: text(first.host), name: text(first.name), namespace: text(first.namespace) }
}
