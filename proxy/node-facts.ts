import type { JsonObject } from '@bufbuild/protobuf'
import type { Node } from '../api/gen/envoy/config/core/v3/base_pb.js'

/** Who this proxy is, as its bootstrap says (envoy.config.core.v3.Node). */
export interface NodeFacts {
  readonly id: string
  readonly cluster: string
  /** Istio's agents put NAME, NAMESPACE, LABELS, WORKLOAD_NAME, CLUSTER_ID, MESH_ID and others here. */
  readonly metadata: JsonObject
  readonly zone: string
}

export const NO_NODE: NodeFacts = { id: '', cluster: '', metadata: {}, zone: '' }

export function nodeFacts(node: Node | undefined): NodeFacts {
  if (node === undefined) return NO_NODE
  return { id: node.id, cluster: node.cluster, metadata: node.metadata ?? {}, zone: node.locality?.zone ?? '' }
}
