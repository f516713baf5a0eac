import { create } from '@bufbuild/protobuf'
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import {
  EndpointSchema,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
} from '../../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import { ClusterLoadAssignmentSchema } from '../../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import type { MeshOptions } from '../../mesh/options.ts'
import { address } from '../address.ts'
import type { InboundPlan } from '../inbound-plan.ts'
import { metadata } from '../messages.ts'
import { poolFields } from './pool.ts'
import { inboundBind } from './special.ts'

/** The cluster of the workload itself, for one of its ports. */
export function inboundCluster(plan: InboundPlan, options: MeshOptions): Cluster {
  return create(ClusterSchema, {
    name: plan.cluster,
    ...poolFields(plan.connectionPool, plan.protocol, undefined, options),
    ...(plan.endpoint === undefined ? asRedirected() : oneEndpoint(plan.cluster, plan.endpoint)),
    metadata: metadata(plan.origin, plan.service && services(plan.service)),
  })
}

/** As Istio names them, by which metrics know whose cluster it is. */
function services({ host, name, namespace }: NonNullable<InboundPlan['service']>) {
  return { services: [{ host, name, namespace }] }
}

/** To the very address that the connection was made for. */
function asRedirected() {
  return {
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    upstreamBindConfig: inboundBind(),
  }
}

function oneEndpoint(clusterName: string, endpoint: { address: string; port: number }) {
  const lbEndpoint = create(LbEndpointSchema, {
    hostIdentifier: {
      case: 'endpoint',
      value: create(EndpointSchema, { address: address(endpoint.address, endpoint.port) }),
    },
  })
  return {
    clusterDiscoveryType: { case: 'type' as const, value: Cluster_DiscoveryType.STATIC },
    loadAssignment: create(ClusterLoadAssignmentSchema, {
      clusterName,
      endpoints: [create(LocalityLbEndpointsSchema, { lbEndpoints: [lbEndpoint] })],
    }),
  }
}
