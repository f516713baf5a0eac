import type { Node } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { parseNodeId } from '../../api/node.ts'
import type { StringMap, Value } from './value.ts'

/** The proxy that tells: what its node says of the workload beside it, by the ends of the attributes' names. */
export interface Reporter {
  readonly uid: string | undefined
  /** A gateway is the caller's side of all that it tells of. */
  readonly isGateway: boolean
  readonly version: string | undefined
  readonly workload: ReadonlyMap<string, Value>
}

export const UNKNOWN_REPORTER: Reporter = {
  uid: undefined,
  isGateway: false,
  version: undefined,
  workload: new Map(),
}

/** By the node's id and the metadata that Istio's proxies have (NAME, NAMESPACE, LABELS, WORKLOAD_NAME, OWNER, SERVICE_ACCOUNT). */
export function reporterOf(node: Node | undefined): Reporter {
  if (node === undefined) return UNKNOWN_REPORTER
  const id = parseNodeId(node.id)
  const metadata = node.metadata ?? {}
  const textOf = (key: string): string | undefined => {
    const value = metadata[key]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const name = textOf('NAME') ?? id?.name
  const namespace = textOf('NAMESPACE') ?? id?.namespace
  const uid = name === undefined || namespace === undefined ? undefined : `kubernetes://${name}.${namespace}`
  const workload = new Map<string, Value>()
  const workloadName = textOf('WORKLOAD_NAME')
  const facts = {
    uid,
    name,
    namespace,
    labels: labelsOf(metadata.LABELS),
    owner: textOf('OWNER'),
    serviceAccount: textOf('SERVICE_ACCOUNT'),
    'workload.name': workloadName,
    'workload.namespace': workloadName && namespace,
    'workload.uid': workloadName && namespace && `istio://${namespace}/workloads/${workloadName}`,
  }
  for (const [fact, value] of Object.entries(facts)) if (value !== undefined) workload.set(fact, value)
  const version = textOf('ISTIO_VERSION') ?? textOf('LATEEN_VERSION')
  return { uid, isGateway: id?.type === 'router', version, workload }
}

function labelsOf(value: unknown): StringMap | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const labels = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return labels.length === 0 ? undefined : Object.fromEntries(labels)
}
