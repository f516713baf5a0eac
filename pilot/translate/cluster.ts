/**
 * Clusters. `plan.ts` says which outbound ones there are, `outbound.ts` makes one of them, `inbound.ts` those of the
 * workload itself, `special.ts` the ones that every proxy has.
 */
export { inboundCluster } from './cluster/inbound.ts'
export { callerSetting, endpointsOfCluster, namesItsPeers, outboundCluster } from './cluster/outbound.ts'
export { type ClusterPlan, clusterPlans } from './cluster/plan.ts'
export { blackHoleCluster, inboundPassthroughCluster, passthroughCluster } from './cluster/special.ts'
