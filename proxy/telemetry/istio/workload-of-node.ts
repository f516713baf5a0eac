import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import type { NodeFacts } from '../../node-facts.ts'
import type { WorkloadFacts } from '../../plan/workload.ts'

/** The labels that Istio's proxies tell each other, of all that a workload has. */
export const TOLD_LABELS = [
  'app',
  'version',
  'service.istio.io/canonical-name',
  'service.istio.io/canonical-revision',
] as const

/** The workload of a node's metadata, or of what peers say of themselves, which has the same names. */
export function workloadOfMetadata(metadata: JsonObject): WorkloadFacts {
  const labels = objectOf(metadata.LABELS)
  const name = textOf(metadata.WORKLOAD_NAME)
  return {
    name,
    namespace: textOf(metadata.NAMESPACE),
    app: textOf(labels.app),
    version: textOf(labels.version),
    canonicalService:
      textOf(labels['service.istio.io/canonical-name']) ||
      textOf(labels['app.kubernetes.io/name']) ||
      textOf(labels.app) ||
      name,
    canonicalRevision:
      textOf(labels['service.istio.io/canonical-revision']) ||
      textOf(labels['app.kubernetes.io/version']) ||
      textOf(labels.version) ||
      'latest',
    clusterId: textOf(metadata.CLUSTER_ID),
  }
}

/** What a proxy tells of its workload (Istio's extractNodeFlatBufferFromStruct has these names). */
export function toldMetadata({ metadata }: NodeFacts): JsonObject {
  const facts = workloadOfMetadata(metadata)
  const labels = objectOf(metadata.LABELS)
  const told: Record<string, JsonValue> = {}
  for (const key of ['NAME', 'NAMESPACE', 'OWNER', 'WORKLOAD_NAME', 'CLUSTER_ID', 'PLATFORM_METADATA'] as const) {
    const value = metadata[key]
    if (value !== undefined && value !== '') told[key] = value
  }
  told.LABELS = Object.fromEntries([
    ...TOLD_LABELS.filter((label) => typeof labels[label] === 'string').map((label) => [label, labels[label]]),
    ['service.istio.io/canonical-name', facts.canonicalService],
    ['service.istio.io/canonical-revision', facts.canonicalRevision],
  ])
  return told
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : ''
}
