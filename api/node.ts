/** What a proxy is: a sidecar beside one workload, or a gateway. */
export type NodeType = 'sidecar' | 'router'

/** The gRPC metadata by which a proxy that asks for a certificate says which one it is: its node id. */
export const NODE_HEADER = 'lateen-node'

/** Istio's node id: `<type>~<ip>~<pod>.<namespace>~<namespace>.svc.<domain>`. */
export interface NodeId {
  type: NodeType
  ip: string
  name: string
  namespace: string
  domain: string
}

export function formatNodeId(id: NodeId): string {
  return `${id.type}~${id.ip}~${id.name}.${id.namespace}~${id.namespace}.svc.${id.domain}`
}

/** undefined when the text is not such an id. */
export function parseNodeId(text: string): NodeId | undefined {
  const [type, ip, workload, dnsDomain, ...rest] = text.split('~')
  if ((type !== 'sidecar' && type !== 'router') || rest.length > 0) return undefined
  if (!ip || !workload || !dnsDomain) return undefined
  const dot = workload.lastIndexOf('.')
  const svc = dnsDomain.indexOf('.svc.')
  if (dot <= 0 || svc <= 0) return undefined
  return {
    type,
    ip,
    name: workload.slice(0, dot),
    namespace: workload.slice(dot + 1),
    domain: dnsDomain.slice(svc + '.svc.'.length),
  }
}

/** The part of Istio's node metadata that the pilot reads. */
export interface NodeMetadata {
  NAMESPACE?: string
  LABELS?: Record<string, string>
  WORKLOAD_NAME?: string
  CLUSTER_ID?: string
  INSTANCE_IPS?: string
  SERVICE_ACCOUNT?: string
  INTERCEPTION_MODE?: string
}

/** What our proxies call themselves in their nodes' `user_agent_name`. */
export const PROXY_AGENT = 'lateen'
