import { create } from '@bufbuild/protobuf'
import {
  type TcpProxy,
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxy_WeightedClusterSchema,
  TcpProxySchema,
} from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { MeshOptions } from '../../mesh/options.ts'
import { durationOf } from '../messages.ts'
import { accessLogs } from './http-connection-manager.ts'
import type { TcpTarget } from './plan.ts'

export function tcpProxy(target: TcpTarget, options: MeshOptions): TcpProxy {
  const idleTimeout = durationOf(target.idleTimeout)
  return create(TcpProxySchema, {
    statPrefix: target.statPrefix,
    clusterSpecifier: clusterSpecifier(target),
    ...(idleTimeout && { idleTimeout }),
    accessLog: accessLogs(options),
  })
}

function clusterSpecifier({ clusters }: TcpTarget): TcpProxy['clusterSpecifier'] {
  const [first] = clusters
  if (clusters.length === 1 && first !== undefined) return { case: 'cluster', value: first.name }
  const weighted = clusters.map((cluster) => create(TcpProxy_WeightedCluster_ClusterWeightSchema, cluster))
  return { case: 'weightedClusters', value: create(TcpProxy_WeightedClusterSchema, { clusters: weighted }) }
}
