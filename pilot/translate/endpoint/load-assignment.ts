import { create } from '@bufbuild/protobuf'
import { LocalitySchema, type Metadata, MetadataSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  EndpointSchema,
  type LbEndpoint,
  LbEndpointSchema,
  LocalityLbEndpointsSchema,
} from '../../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
} from '../../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import type { AutoMtls } from '../../mesh/auto-mtls.ts'
import type { Endpoint } from '../../registry/endpoint.ts'
import type { Labels } from '../../registry/labels.ts'
import { address } from '../address.ts'
import type { LocalityGroup } from './locality-groups.ts'

/** What endpoints that are called by mutual TLS have under `tlsMode`, for their clusters to match. */
export const MTLS_ENDPOINT = 'istio'
const SOCKET_MATCH = 'envoy.transport_socket_match'

/** The endpoints of one cluster by locality and priority. */
export function loadAssignment(
  clusterName: string,
  groups: readonly LocalityGroup[],
  clusterId: string,
  mtls: AutoMtls,
): ClusterLoadAssignment {
  return create(ClusterLoadAssignmentSchema, {
    clusterName,
    endpoints: groups.map((group) =>
      create(LocalityLbEndpointsSchema, {
        // Beside others one that is not known has to be named too: to Envoy a group without locality has no weight.
        ...((group.locality !== '' || groups.length > 1) && { locality: locality(group.locality) }),
        priority: group.priority,
        lbEndpoints: group.endpoints.map((endpoint) => lbEndpoint(endpoint, clusterId, mtls)),
        loadBalancingWeight: group.weight,
      }),
    ),
  })
}

function locality(name: string) {
  const [region = '', zone = '', subZone = ''] = name.split('/')
  return create(LocalitySchema, { region, zone, subZone })
}

function lbEndpoint(endpoint: Endpoint, clusterId: string, mtls: AutoMtls): LbEndpoint {
  return create(LbEndpointSchema, {
    hostIdentifier: {
      case: 'endpoint',
      value: create(EndpointSchema, { address: address(endpoint.address, endpoint.port) }),
    },
    metadata: endpointMetadata(endpoint, clusterId, mtls.takes(endpoint)),
    loadBalancingWeight: endpoint.weight,
  })
}

/** `workload;namespace;service;version;cluster`, by which telemetry names the peer (Istio's BuildTelemetryMetadata), and how it is called. */
function endpointMetadata(
  { workloadName, namespace, labels }: Endpoint,
  clusterId: string,
  takesMtls: boolean,
): Metadata {
  const workload = [workloadName, namespace, canonicalName(labels, workloadName), canonicalRevision(labels), clusterId]
  return create(MetadataSchema, {
    filterMetadata: {
      istio: { workload: workload.join(';') },
      ...(takesMtls && { [SOCKET_MATCH]: { tlsMode: MTLS_ENDPOINT } }),
    },
  })
}

function canonicalName(labels: Labels, workloadName: string): string {
  return labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels.app ?? workloadName
}

function canonicalRevision(labels: Labels): string {
  return (
    labels['service.istio.io/canonical-revision'] ?? labels['app.kubernetes.io/version'] ?? labels.version ?? 'latest'
  )
}
