import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { ClusterSchema } from '../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { ListenerSchema } from '../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { SecretSchema } from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import { REGISTRY } from '../../api/registry.ts'
import { compileCluster } from './compile/cluster.ts'
import { compileListener } from './compile/listener.ts'
import { compileSecret } from './compile/secret.ts'
import type { ClusterPlan, ListenerPlan } from './plan.ts'
import type { SecretPlan } from './secret-plan.ts'

/** Compiles resources written as JSON, for tests. */

const TYPE = 'type.googleapis.com/envoy.extensions'

/** A message with its type, as it stands in an Any. `type` is what follows `envoy.extensions.`. */
export function typed(type: string, config: object = {}): JsonValue {
  return { '@type': `${TYPE}.${type}`, ...config } as JsonValue
}

/** A filter chain that leads to this cluster by TCP. */
export function tcpChain(cluster: string, chain: object = {}): JsonValue {
  const proxy = typed('filters.network.tcp_proxy.v3.TcpProxy', { statPrefix: cluster, cluster })
  return { filters: [{ name: 'tcp', typedConfig: proxy }], ...chain } as JsonValue
}

/** A listener on 127.0.0.1:0, unless `fields` say otherwise. */
export function listenerPlan(fields: object): ListenerPlan {
  const address = { socketAddress: { address: '127.0.0.1', portValue: 0 } }
  const json = { name: 'l', address, ...fields } as JsonValue
  return compileListener(fromJson(ListenerSchema, json, { registry: REGISTRY }))
}

export function clusterPlan(fields: object): ClusterPlan {
  const json = { name: 'c', type: 'STATIC', ...fields } as JsonValue
  return compileCluster(fromJson(ClusterSchema, json, { registry: REGISTRY }), 'test')
}

export function secretPlan(fields: object): SecretPlan {
  return compileSecret(fromJson(SecretSchema, { name: 's', ...fields } as JsonValue, { registry: REGISTRY }))
}
