import { create } from '@bufbuild/protobuf'
import {
  type TcpProxy,
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxy_WeightedClusterSchema,
  TcpProxySchema,
} from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { HashPolicy_SourceIpSchema, HashPolicySchema } from '../../../api/gen/envoy/type/v3/hash_policy_pb.js'
import type { ModeTelemetry } from '../../mesh/telemetry.ts'
import { durationOf } from '../messages.ts'
import { accessLogs } from '../telemetry/access-logs.ts'
import type { TcpTarget } from './plan.ts'

export function tcpProxy(target: TcpTarget, telemetry: ModeTelemetry): TcpProxy {
  const idleTimeout = durationOf(target.idleTimeout)
  return create(TcpProxySchema, {
    statPrefix: target.statPrefix,
    clusterSpecifier: clusterSpecifier(target),
    ...(idleTimeout && { idleTimeout }),
    hashPolicy: target.hashesSourceIp ? [sourceIpPolicy()] : [],
    accessLog: accessLogs(telemetry, 'tcp'),
  })
}

function sourceIpPolicy() {
  const value = create(HashPolicy_SourceIpSchema)
  return create(HashPolicySchema, { policySpecifier: { case: 'sourceIp', value } })
}

function clusterSpecifier({ clusters }: TcpTarget): TcpProxy['clusterSpecifier'] {
  const [first] = clusters
  if (clusters.length === 1 && first !== undefined) return { case: 'cluster', value: first.name }
  const weighted = clusters.map((cluster) => create(TcpProxy_WeightedCluster_ClusterWeightSchema, cluster))
  return { case: 'weightedClusters', value: create(TcpProxy_WeightedClusterSchema, { clusters: weighted }) }
}
