import { create } from '@bufbuild/protobuf'
import {
  type Cluster,
  Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema,
  Cluster_CommonLbConfigSchema,
  Cluster_DiscoveryType,
  Cluster_DnsLookupFamily,
  Cluster_EdsClusterConfigSchema,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { PercentSchema } from '../../../api/gen/envoy/type/v3/percent_pb.js'
import { formatSniName } from '../../../api/names.ts'
import { PEAK_EWMA_DECAY_KEY, PROXY_METADATA_KEY } from '../../../api/proxy-metadata.ts'
import type { LocalityLoadBalancerSetting } from '../../../crds/kinds/destination-rule.ts'
import type { AutoMtls } from '../../mesh/auto-mtls.ts'
import { localityPolicy } from '../../mesh/locality-setting.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import { type EffectivePolicy, effectivePolicy } from '../../mesh/traffic-policy.ts'
import type { Endpoint } from '../../registry/endpoint.ts'
import { byLocality, type Caller, forCaller, inSubset, loadAssignment } from '../endpoint.ts'
import { adsSource, duration, metadata } from '../messages.ts'
import { balancing, isLeastRequest } from './load-balancer.ts'
import { outlierDetection } from './outlier.ts'
import { type ClusterPlan, clusterNameOf } from './plan.ts'
import { poolFields } from './pool.ts'
import { autoMtlsMatches, transportSocket } from './transport-socket.ts'

/**
 * The cluster of a plan. `endpoints` are those of the service's port, and matter only when they are names to resolve;
 * without any of those there is no cluster. `identities` are of the workloads behind it, where `namesItsPeers`.
 */
export function outboundCluster(
  plan: ClusterPlan,
  endpoints: readonly Endpoint[],
  identities: readonly string[],
  mtls: AutoMtls,
  options: MeshOptions,
  caller: Caller,
): Cluster | undefined {
  const { tls, ...policy } = clusterPolicy(plan)
  const protocol = plan.passesTls ? 'TCP' : plan.port.protocol
  const found = discoveryFields(plan, endpointsOfCluster(plan, endpoints, mtls), mtls, options, caller)
  if (found === undefined) return undefined
  const peers = { serverName: formatSniName(clusterNameOf(plan.service, plan.port, plan.subset)), identities }
  const socket = transportSocket(tls, protocol, peers, plan.takesCredential, options)
  return create(ClusterSchema, {
    name: plan.name,
    ...poolFields(policy.connectionPool, protocol, tls, options, policy.retryBudget),
    ...(socket && { transportSocket: socket }),
    transportSocketMatches: usesAutoMtls(plan, options) ? autoMtlsMatches(plan.port.protocol, peers, options) : [],
    ...(plan.discovery === 'ORIGINAL_DST'
      ? { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED }
      : balancing(policy.loadBalancer)),
    ...found,
    ...(policy.outlierDetection && { outlierDetection: outlierDetection(policy.outlierDetection) }),
    ...commonLbFields(policy, options),
    metadata: clusterMetadata(plan, policy),
  })
}

/**
 * Of the endpoints of a service's port those that belong to its cluster. Where a gateway passes TLS on, it is the mesh's own: an endpoint
 * that is called in plain text would not know what to do with it (Istio's EndpointsWithMTLSFilter).
 */
export function endpointsOfCluster(
  plan: ClusterPlan,
  endpoints: readonly Endpoint[],
  mtls: AutoMtls,
): readonly Endpoint[] {
  const chosen = inSubset(endpoints, plan.subset?.labels)
  return plan.passesTls && !isCalledByMtls(plan) ? chosen.filter((endpoint) => mtls.takes(endpoint)) : chosen
}

/** Every endpoint, because the rule says so. */
function isCalledByMtls({ rule, subset, port }: ClusterPlan): boolean {
  return effectivePolicy(rule, subset?.name ?? '', port.number).tls?.mode === 'ISTIO_MUTUAL'
}

/** Whether what a cluster is depends on who the workloads behind it are: their names must be in their certificates. */
export function namesItsPeers(plan: ClusterPlan, options: MeshOptions): boolean {
  return clusterPolicy(plan).tls?.mode === 'ISTIO_MUTUAL' || usesAutoMtls(plan, options)
}

/** Where no rule says how it is called, each endpoint does. Those of ORIGINAL_DST clusters are not known. */
function usesAutoMtls(plan: ClusterPlan, { enableAutoMtls }: MeshOptions): boolean {
  return enableAutoMtls && !plan.passesTls && plan.discovery !== 'ORIGINAL_DST' && clusterPolicy(plan).tls === undefined
}

function clusterPolicy({ rule, subset, port, passesTls }: ClusterPlan): EffectivePolicy {
  const { tls, ...policy } = effectivePolicy(rule, subset?.name ?? '', port.number)
  return passesTls || tls === undefined ? policy : { ...policy, tls }
}

/** How a cluster's endpoints are sorted for each caller; undefined where all get the same. */
export function callerSetting(plan: ClusterPlan, options: MeshOptions): LocalityLoadBalancerSetting | undefined {
  return localityPolicy(clusterPolicy(plan), options).setting
}

function discoveryFields(
  plan: ClusterPlan,
  endpoints: readonly Endpoint[],
  mtls: AutoMtls,
  options: MeshOptions,
  caller: Caller,
) {
  const { name, discovery } = plan
  const type = (value: Cluster_DiscoveryType) => ({ clusterDiscoveryType: { case: 'type' as const, value } })
  switch (discovery) {
    case 'EDS':
      return {
        ...type(Cluster_DiscoveryType.EDS),
        edsClusterConfig: create(Cluster_EdsClusterConfigSchema, { edsConfig: adsSource(), serviceName: name }),
      }
    case 'ORIGINAL_DST':
      return type(Cluster_DiscoveryType.ORIGINAL_DST)
    case 'STRICT_DNS':
      if (endpoints.length === 0) return undefined
      return { ...type(Cluster_DiscoveryType.STRICT_DNS), ...dnsFields(plan, endpoints, mtls, options, caller) }
    case 'LOGICAL_DNS':
      if (endpoints.length === 0) return undefined
      // Such a cluster has one name, no more.
      return {
        ...type(Cluster_DiscoveryType.LOGICAL_DNS),
        ...dnsFields(plan, endpoints.slice(0, 1), mtls, options, caller),
      }
  }
}

function dnsFields(
  plan: ClusterPlan,
  endpoints: readonly Endpoint[],
  mtls: AutoMtls,
  options: MeshOptions,
  caller: Caller,
) {
  const { clusterId } = options
  const setting = callerSetting(plan, options)
  const all = byLocality(endpoints)
  const groups = setting === undefined ? all : forCaller(all, setting, caller, clusterId)
  return {
    loadAssignment: loadAssignment(plan.name, groups, clusterId, mtls),
    dnsLookupFamily: Cluster_DnsLookupFamily.V4_ONLY,
    dnsRefreshRate: duration(options.dnsRefreshRateMs),
    respectDnsTtl: true,
  }
}

/** Istio switches Envoy's panic routing off where it ejects hosts, or gives it the threshold that the rule names. */
function commonLbFields(policy: EffectivePolicy, options: MeshOptions) {
  const { isWeighted } = localityPolicy(policy, options)
  const { outlierDetection: outlier } = policy
  if (!isWeighted && outlier === undefined) return {}
  return {
    commonLbConfig: create(Cluster_CommonLbConfigSchema, {
      ...(isWeighted && {
        localityConfigSpecifier: {
          case: 'localityWeightedLbConfig',
          value: create(Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema),
        },
      }),
      ...(outlier && { healthyPanicThreshold: create(PercentSchema, { value: outlier.minHealthPercent ?? 0 }) }),
    }),
  }
}

function clusterMetadata({ service, subset, origin, rule, discovery }: ClusterPlan, { loadBalancer }: EffectivePolicy) {
  const { host, name, namespace } = service
  const made = metadata(origin, {
    services: [{ host, name, namespace }],
    ...(subset && { subset: subset.name }),
  })
  const decayMs = rule?.peakEwmaDecayMs
  if (decayMs !== undefined && discovery !== 'ORIGINAL_DST' && isLeastRequest(loadBalancer)) {
    made.filterMetadata[PROXY_METADATA_KEY] = { [PEAK_EWMA_DECAY_KEY]: decayMs }
  }
  return made
}
