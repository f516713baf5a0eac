import { fromBinary } from '@bufbuild/protobuf'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ClusterLoadAssignmentSchema } from '../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { ListenerSchema } from '../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { VirtualHostSchema } from '../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '../../api/gen/envoy/config/route/v3/route_pb.js'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import { compileCluster } from '../plan/compile/cluster.ts'
import { compileEndpoints } from '../plan/compile/endpoints.ts'
import { compileListener } from '../plan/compile/listener.ts'
import { compileRouteConfig, compileVirtualHost } from '../plan/compile/route-config.ts'
import { compileSecret } from '../plan/compile/secret.ts'
import type { ClusterPlan, EndpointPlan, ListenerPlan, RouteConfigPlan, VirtualHostPlan } from '../plan/plan.ts'
import { refuse } from '../plan/plan-error.ts'
import type { SecretPlan } from '../plan/secret-plan.ts'

/** What becomes of a resource of each type. */
export interface CompiledTypes {
  cluster: ClusterPlan
  endpoint: readonly EndpointPlan[]
  listener: ListenerPlan
  route: RouteConfigPlan
  virtualHost: VirtualHostPlan
  secret: SecretPlan
}

export type ClientType = keyof CompiledTypes

/** A certificate chain or a bundle of roots is a hundredth of it. */
export const MAX_SECRET_BYTES = 1024 * 1024

/** How one xDS resource type is read: its name out of its bytes, and its compiled form (throws a PlanError). */
export interface ResourceType<T extends ClientType> {
  readonly type: T
  readonly typeUrl: (typeof TYPE_URL)[T]
  /** Subscribed to as a whole; a state-of-the-world response lists all there is, so what is absent is gone. */
  readonly isWildcard: boolean
  nameOf(bytes: Uint8Array): string
  compile(bytes: Uint8Array, version: string): CompiledTypes[T]
}

export const RESOURCE_TYPES: { readonly [T in ClientType]: ResourceType<T> } = {
  cluster: {
    type: 'cluster',
    typeUrl: TYPE_URL.cluster,
    isWildcard: true,
    nameOf: (bytes) => fromBinary(ClusterSchema, bytes).name,
    compile: (bytes, version) => compileCluster(fromBinary(ClusterSchema, bytes), version),
  },
  endpoint: {
    type: 'endpoint',
    typeUrl: TYPE_URL.endpoint,
    isWildcard: false,
    nameOf: (bytes) => fromBinary(ClusterLoadAssignmentSchema, bytes).clusterName,
    compile: (bytes) => compileEndpoints(fromBinary(ClusterLoadAssignmentSchema, bytes)),
  },
  listener: {
    type: 'listener',
    typeUrl: TYPE_URL.listener,
    isWildcard: true,
    nameOf: (bytes) => fromBinary(ListenerSchema, bytes).name,
    compile: (bytes) => compileListener(fromBinary(ListenerSchema, bytes)),
  },
  route: {
    type: 'route',
    typeUrl: TYPE_URL.route,
    isWildcard: false,
    nameOf: (bytes) => fromBinary(RouteConfigurationSchema, bytes).name,
    compile: (bytes) => compileRouteConfig(fromBinary(RouteConfigurationSchema, bytes)),
  },
  virtualHost: {
    type: 'virtualHost',
    typeUrl: TYPE_URL.virtualHost,
    // All of them at once: nothing on the data path waits for a host to be asked for.
    isWildcard: true,
    nameOf: (bytes) => fromBinary(VirtualHostSchema, bytes).name,
    compile: (bytes) => compileVirtualHost(fromBinary(VirtualHostSchema, bytes), ''),
  },
  secret: {
    type: 'secret',
    typeUrl: TYPE_URL.secret,
    isWildcard: false,
    nameOf: (bytes) => fromBinary(SecretSchema, bytes).name,
    compile: (bytes) => {
      if (bytes.length > MAX_SECRET_BYTES) {
        refuse('', `has ${bytes.length} bytes, at most ${MAX_SECRET_BYTES} are taken`)
      }
      return compileSecret(fromBinary(SecretSchema, bytes))
    },
  },
}

export const CLIENT_TYPES: readonly ClientType[] = ['cluster', 'endpoint', 'listener', 'route', 'virtualHost', 'secret']
