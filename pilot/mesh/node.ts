import { type NodeType, PROXY_AGENT, parseNodeId } from '../../api/node.ts'
import { MeshError } from '../../lib/errors.ts'
import type { Labels } from '../registry/labels.ts'
import { LOCALITY_LABEL, localityOf, type Workload } from '../registry/workload.ts'
import type { WorkloadIndex } from '../registry/workload-index.ts'
import type { NodeIdentity } from '../xds/view.ts'

export type InterceptionMode = 'REDIRECT' | 'TPROXY' | 'NONE'

/** One proxy, with all that is known of the workload beside it. */
export interface ProxyNode {
  readonly type: NodeType
  readonly name: string
  readonly namespace: string
  readonly domain: string
  readonly labels: Labels
  readonly addresses: readonly string[]
  readonly locality: string
  /** How connections come to the proxy, when the node says so. */
  readonly interception: InterceptionMode | undefined
  readonly workload: Workload | undefined
  /** It is a Lateen, by what it says. */
  readonly isOurs: boolean
}

/**
 * Reads an xDS node. Its workload is the one of its name and namespace, else the one of its address, else the one
 * that WORKLOAD_NAME names. Labels in the node's own metadata win over those of the workload.
 */
export function resolveNode(node: NodeIdentity, workloads: WorkloadIndex): ProxyNode {
  const id = parseNodeId(node.id)
  if (id === undefined) {
    const form = '<sidecar|router>~<ip>~<name>.<namespace>~<namespace>.svc.<domain>'
    throw new MeshError('pilot_bad_node_id', `the node id "${node.id}" is not of the form ${form}`, {
      source: 'config',
      details: { id: node.id },
    })
  }
  const { metadata } = node
  const namespace = text(metadata.NAMESPACE) ?? id.namespace
  const addresses = [...new Set([id.ip, ...(text(metadata.INSTANCE_IPS)?.split(',') ?? [])])].filter(isRealAddress)
  const labels = stringMap(metadata.LABELS)
  const workload = findWorkload(namespace, id.name, text(metadata.WORKLOAD_NAME), addresses, workloads)
  return {
    type: id.type,
    name: id.name,
    namespace,
    domain: id.domain,
    labels: { ...workload?.labels, ...labels },
    addresses: addresses.length > 0 ? addresses : (workload?.addresses ?? []),
    locality:
      labels[LOCALITY_LABEL] === undefined
        ? (node.locality ?? (workload?.locality || localityOf(labels)))
        : localityOf(labels),
    interception: interceptionOf(metadata.INTERCEPTION_MODE),
    workload,
    isOurs: node.userAgentName === PROXY_AGENT,
  }
}

function findWorkload(
  namespace: string,
  name: string,
  workloadName: string | undefined,
  addresses: readonly string[],
  workloads: WorkloadIndex,
): Workload | undefined {
  const named = workloads.byName(namespace, name)
  if (named !== undefined) return named
  for (const address of addresses) {
    const found = workloads.byAddress(address)
    // On one machine many workloads share an address; it identifies only within the namespace, and not loopback.
    if (found?.namespace === namespace && !isLoopback(address)) return found
  }
  if (workloadName === undefined) return undefined
  return (
    workloads.byName(namespace, workloadName) ??
    workloads.all.find((w) => w.workloadName === workloadName && w.namespace === namespace)
  )
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

function isRealAddress(address: string): boolean {
  return address !== '' && address !== '0.0.0.0' && address !== '::'
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function stringMap(value: unknown): Labels {
  if (value === null || typeof value !== 'object') return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

function interceptionOf(value: unknown): InterceptionMode | undefined {
  return value === 'REDIRECT' || value === 'TPROXY' || value === 'NONE' ? value : undefined
}
