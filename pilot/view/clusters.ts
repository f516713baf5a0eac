import type { Cluster } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { formatSpiffeId, spiffeId } from '../../api/spiffe.ts'
import { TYPE_URL } from '../../api/type-urls.ts'
import type { Memo } from '../memo.ts'
import { type AutoMtls, autoMtls } from '../mesh/auto-mtls.ts'
import type { Generation } from '../mesh/generation.ts'
import type { MeshOptions } from '../mesh/options.ts'
import type { NodeScope } from '../mesh/scope.ts'
import type { Endpoint } from '../registry/endpoint.ts'
import { encoded } from '../resource.ts'
import {
  blackHoleCluster,
  type ClusterPlan,
  callerSetting,
  clusterPlans,
  endpointsOfCluster,
  inboundCluster,
  inboundPassthroughCluster,
  namesItsPeers,
  outboundCluster,
  passthroughCluster,
} from '../translate/cluster.ts'
import { addressed, byLocality, type Caller, forCaller, inSubset, loadAssignment } from '../translate/endpoint.ts'
import { type InboundPlan, inboundPlans } from '../translate/inbound-plan.ts'
import type { EncodedResource } from '../xds/view.ts'

/** Clusters and endpoints of a scope, each made once from what it depends on. */

const NO_ENDPOINTS: readonly Endpoint[] = []
const NO_NAMES: readonly string[] = []

/** The plans are the same array for as long as no service and no DestinationRule changes. */
export function plannedClusters(scope: NodeScope, generation: Generation, memo: Memo): readonly ClusterPlan[] {
  const { destinationRules } = generation
  return memo.get('cluster plans', [scope, destinationRules], () =>
    clusterPlans(scope, destinationRules).map((plan) => samePlan(plan, memo)),
  )
}

/** A plan that says what one of the generation before said is that one. */
function samePlan(plan: ClusterPlan, memo: Memo): ClusterPlan {
  const { name, service, port, subset, rule, discovery, takesCredential } = plan
  return memo.get('cluster plan', [name, service, port, subset, rule, discovery, takesCredential], () => plan)
}

export function plannedInbound(scope: NodeScope, generation: Generation, memo: Memo): readonly InboundPlan[] {
  const { destinationRules } = generation
  return memo.get('inbound plans', [scope, destinationRules], () => inboundPlans(scope, destinationRules))
}

export function clusterResources(scope: NodeScope, generation: Generation, memo: Memo): readonly EncodedResource[] {
  const plans = plannedClusters(scope, generation, memo)
  const inbound = plannedInbound(scope, generation, memo)
  const { options } = generation
  // Names to resolve are part of the cluster; endpoints by address come apart from it.
  const resolved = plans.map((plan) => (isByDns(plan) ? endpointsOf(plan, generation) : NO_ENDPOINTS))
  const naming = memo.get('plans that name their peers', [plans, options], () =>
    plans.map((plan) => namesItsPeers(plan, options)),
  )
  const mtls = autoMtls(generation, memo)
  const identities = plans.map((plan, i) => (naming[i] === true ? peersOf(plan, generation, memo) : NO_NAMES))
  const varying = [...resolved.filter((e) => e !== NO_ENDPOINTS), ...identities.filter((names) => names !== NO_NAMES)]
  return memo.get('clusters', [scope, plans, inbound, options, mtls, ...varying], () => {
    const outbound = plans.flatMap(
      (plan, i) =>
        outboundResource(
          plan,
          resolved[i] ?? NO_ENDPOINTS,
          identities[i] ?? NO_NAMES,
          mtls,
          options,
          scope.place,
          memo,
        ) ?? [],
    )
    return memo.list('clusters', [
      ...special(scope, options, memo),
      ...inbound.map((plan) =>
        memo.get('inbound cluster', [JSON.stringify(plan), options], () =>
          resource(inboundCluster(plan, options), memo),
        ),
      ),
      ...outbound,
    ])
  })
}

/** Ids of the workloads behind a cluster, sorted; those that are not known are left out. */
function peersOf(plan: ClusterPlan, generation: Generation, memo: Memo): readonly string[] {
  const { trustDomain } = generation.options
  const ids = new Set<string>()
  for (const { namespace, serviceAccount } of inSubset(endpointsOf(plan, generation), plan.subset?.labels)) {
    const id = spiffeId(trustDomain, namespace, serviceAccount)
    if (id !== undefined) ids.add(formatSpiffeId(id))
  }
  return memo.intern('identities', [...ids].sort())
}

function outboundResource(
  plan: ClusterPlan,
  endpoints: readonly Endpoint[],
  identities: readonly string[],
  mtls: AutoMtls,
  options: MeshOptions,
  caller: Caller,
  memo: Memo,
) {
  // How those that are resolved are called is part of the cluster.
  const called = endpoints === NO_ENDPOINTS ? undefined : mtls
  const place = called === undefined || callerSetting(plan, options) === undefined ? undefined : caller
  return memo.get('cluster', [plan, endpoints, identities, called, options, place], () => {
    const cluster = outboundCluster(plan, endpoints, identities, mtls, options, caller)
    return cluster === undefined ? undefined : resource(cluster, memo)
  })
}

function special(scope: NodeScope, options: MeshOptions, memo: Memo): EncodedResource[] {
  const makers =
    scope.type === 'router' ? [blackHoleCluster] : [blackHoleCluster, passthroughCluster, inboundPassthroughCluster]
  return makers.map((make) => memo.get('special cluster', [make, options], () => resource(make(options), memo)))
}

function resource(cluster: Cluster, memo: Memo): EncodedResource {
  return encoded(TYPE_URL.cluster, cluster.name, ClusterSchema, cluster, memo)
}

function isByDns({ discovery }: ClusterPlan): boolean {
  return discovery === 'STRICT_DNS' || discovery === 'LOGICAL_DNS'
}

function endpointsOf({ service, port }: ClusterPlan, generation: Generation): readonly Endpoint[] {
  return generation.registry.endpointsOf(service).get(port.number) ?? NO_ENDPOINTS
}

/** The endpoints of the clusters that take them by EDS. */
export function endpointResources(scope: NodeScope, generation: Generation, memo: Memo): readonly EncodedResource[] {
  const plans = plannedClusters(scope, generation, memo)
  const eds = memo.get('eds plans', [plans], () => plans.filter((plan) => plan.discovery === 'EDS'))
  const endpoints = eds.map((plan) => endpointsOf(plan, generation))
  const { options } = generation
  const mtls = autoMtls(generation, memo)
  return memo.eachPair('endpoints of clusters', eds, endpoints, [scope.key, options, mtls], (plan, all) => {
    const setting = callerSetting(plan, options)
    // What is the same for callers everywhere is made once.
    const place = setting && scope.place
    return memo.get('endpoints of cluster', [plan, all, options, mtls, place], () => {
      const groups = byLocality(addressed(endpointsOfCluster(plan, all, mtls)))
      const sorted = setting === undefined ? groups : forCaller(groups, setting, scope.place, options.clusterId)
      const message = loadAssignment(plan.name, sorted, options.clusterId, mtls)
      return encoded(TYPE_URL.endpoint, plan.name, ClusterLoadAssignmentSchema, message, memo)
    })
  })
}
