import type { CircuitBreakers } from '../../../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js'
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { RoutingPriority } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type { CircuitBreakerPlan, ClusterPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { durationMs, originOf } from './common.ts'
import { compileEndpoints } from './endpoints.ts'
import { compileHealthCheck } from './health-check.ts'
import { notHonoured } from './honoured.ts'
import { compileHttpOptions } from './http-options.ts'
import { compileOutlierDetection } from './outlier.ts'
import { compileUpstreamTls } from './transport-socket.ts'

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000
const DEFAULT_DNS_REFRESH_MS = 5_000

/** envoy.config.cluster.v3.Cluster. Throws a PlanError that names the field. */
export function compileCluster(cluster: Cluster, resourceVersion: string): ClusterPlan {
  if (cluster.name === '') refuse('name', 'a cluster needs a name')
  if (cluster.lbSubsetConfig !== undefined) refuse('lb_subset_config', 'not supported')
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
    balancing: balancingOf(cluster),
    leastRequestChoices:
      cluster.lbConfig.case === 'leastRequestLbConfig' ? (cluster.lbConfig.value.choiceCount ?? 2) : 2,
    connectTimeoutMs: durationMs(cluster.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
    ...http.plan,
    limits: limitsOf(cluster.circuitBreakers),
    panicThresholdPercent: cluster.commonLbConfig?.healthyPanicThreshold?.value ?? 50,
    outlier: cluster.outlierDetection && compileOutlierDetection(cluster.outlierDetection),
    healthCheck: compileHealthCheck(cluster, http.plan.protocol),
    ignoresHealthOnHostRemoval: cluster.ignoreHealthOnHostRemoval,
    closesOnHealthFailure: cluster.closeConnectionsOnHostHealthFailure,
    dnsRefreshMs: durationMs(cluster.dnsRefreshRate, DEFAULT_DNS_REFRESH_MS),
    endpoints: cluster.loadAssignment === undefined ? [] : compileEndpoints(cluster.loadAssignment, 'load_assignment'),
    ignored: notHonoured(ClusterSchema, cluster),
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

function balancingOf(cluster: Cluster): ClusterPlan['balancing'] {
  if (cluster.loadBalancingPolicy !== undefined) refuse('load_balancing_policy', 'use lb_policy')
  switch (cluster.lbPolicy) {
    case LbPolicy.ROUND_ROBIN:
      return 'round_robin'
    case LbPolicy.LEAST_REQUEST:
      return 'least_request'
    case LbPolicy.RANDOM:
      return 'random'
    case LbPolicy.CLUSTER_PROVIDED:
      return 'cluster_provided'
    default:
      return refuse('lb_policy', `${LbPolicy[cluster.lbPolicy] ?? cluster.lbPolicy} is not supported yet`)
  }
}

/** Envoy's defaults for a cluster that sets no thresholds. */
const DEFAULT_LIMITS: CircuitBreakerPlan = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
}

function limitsOf(breakers: CircuitBreakers | undefined): CircuitBreakerPlan {
  const thresholds = breakers?.thresholds.find((t) => t.priority === RoutingPriority.DEFAULT)
  if (thresholds === undefined) return DEFAULT_LIMITS
  if (thresholds.retryBudget !== undefined) refuse('circuit_breakers.thresholds.retry_budget', 'not supported yet')
  return {
    maxConnections: thresholds.maxConnections ?? DEFAULT_LIMITS.maxConnections,
    maxPendingRequests: thresholds.maxPendingRequests ?? DEFAULT_LIMITS.maxPendingRequests,
    maxRequests: thresholds.maxRequests ?? DEFAULT_LIMITS.maxRequests,
    maxRetries: thresholds.maxRetries ?? DEFAULT_LIMITS.maxRetries,
  }
}
