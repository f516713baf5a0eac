import { create } from '@bufbuild/protobuf'
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { BindConfigSchema, SocketAddressSchema } from '../../../api/gen/envoy/config/core/v3/address_pb.js'
import { BLACK_HOLE_CLUSTER, INBOUND_PASSTHROUGH_CLUSTER, PASSTHROUGH_CLUSTER } from '../../../api/names.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import { duration } from '../messages.ts'
import { circuitBreakers } from './circuit-breakers.ts'
import { downstreamProtocolOptions } from './http-options.ts'

/** The source address by which a sidecar's own calls to its workload are told from redirected ones. */
const INBOUND_SOURCE_ADDRESS = '127.0.0.6'

/** A cluster without endpoints: calls that must not go anywhere end there. */
export function blackHoleCluster(options: MeshOptions): Cluster {
  return create(ClusterSchema, {
    name: BLACK_HOLE_CLUSTER,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: duration(options.connectTimeoutMs),
  })
}

/** Sends a call on to where the client meant it to go. */
export function passthroughCluster(options: MeshOptions): Cluster {
  return create(ClusterSchema, { name: PASSTHROUGH_CLUSTER, ...originalDestination(options) })
}

export function inboundPassthroughCluster(options: MeshOptions): Cluster {
  return create(ClusterSchema, {
    name: INBOUND_PASSTHROUGH_CLUSTER,
    ...originalDestination(options),
    upstreamBindConfig: inboundBind(),
  })
}

export function inboundBind() {
  const sourceAddress = create(SocketAddressSchema, {
    address: INBOUND_SOURCE_ADDRESS,
    portSpecifier: { case: 'portValue', value: 0 },
  })
  return create(BindConfigSchema, { sourceAddress })
}

function originalDestination(options: MeshOptions) {
  return {
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(options.connectTimeoutMs),
    circuitBreakers: circuitBreakers(undefined, undefined),
    typedExtensionProtocolOptions: downstreamProtocolOptions(),
  }
}
