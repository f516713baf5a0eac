import type { Origin } from '../../api/origin.ts'
import type { ConfigObject } from '../../config/object.ts'
import type { DeploymentBody } from '../../crds/kinds/deployment.ts'
import type { PodBody, PodSpec } from '../../crds/kinds/pod.ts'
import type { WorkloadEntryBody, WorkloadEntrySpec } from '../../crds/kinds/workload-entry.ts'
import type { Labels } from './labels.ts'

/** Something that runs: a Pod, a WorkloadEntry, or a Deployment that no Pod was seen of. Plain data. */
export interface Workload {
  readonly kind: string
  readonly name: string
  readonly namespace: string
  /** The name of the Deployment behind a Pod, as telemetry shows it. */
  readonly workloadName: string
  readonly labels: Labels
  /** IP addresses, or of a WorkloadEntry one host name or unix:// path. Empty when it stands only for a plan. */
  readonly addresses: readonly string[]
  readonly ready: boolean
  readonly serviceAccount: string
  /** `region/zone/subzone`, or ''. */
  readonly locality: string
  readonly weight: number
  /** Port numbers by container port name (Pod) or by service port name (WorkloadEntry). */
  readonly ports: Readonly<Record<string, number>>
  readonly origin: Origin
}

export function workloadFromPod(pod: ConfigObject<PodBody>): Workload {
  const { metadata, body, origin } = pod
  const status = body.status
  const all = [status?.podIP, ...(status?.podIPs ?? []).map((entry) => entry.ip)]
  return {
    kind: 'Pod',
    name: metadata.name,
    namespace: metadata.namespace,
    workloadName: deploymentOfPod(metadata.name, metadata.labels),
    labels: metadata.labels,
    addresses: [...new Set(all.filter((ip): ip is string => ip !== undefined && ip !== ''))],
    ready: isPodReady(pod),
    serviceAccount: body.spec?.serviceAccountName ?? 'default',
    locality: localityOf(metadata.labels),
    weight: 1,
    ports: containerPorts(body.spec),
    origin,
  }
}

export function workloadFromEntry(entry: ConfigObject<WorkloadEntryBody>): Workload {
  const { metadata, body, origin, kind } = entry
  // A WorkloadEntry is selected by the labels of its spec, and by those of its metadata as Istio adds them.
  const labels = { ...metadata.labels, ...body.spec.labels }
  return { ...entryFields(body.spec), kind, name: metadata.name, namespace: metadata.namespace, labels, origin }
}

/** What a WorkloadEntry and an inline endpoint of a ServiceEntry have in common. */
export function entryFields(spec: WorkloadEntrySpec) {
  const labels = spec.labels ?? {}
  return {
    workloadName: labels.app ?? '',
    labels,
    addresses: spec.address === undefined || spec.address === '' ? [] : [spec.address],
    ready: true,
    serviceAccount: spec.serviceAccount ?? '',
    locality: spec.locality ?? localityOf(labels),
    weight: spec.weight === undefined || spec.weight === 0 ? 1 : spec.weight,
    ports: spec.ports ?? {},
  }
}

export function workloadFromDeployment(deployment: ConfigObject<DeploymentBody>): Workload {
  const { metadata, body, origin, kind } = deployment
  const template = body.spec.template
  const labels = template.metadata?.labels ?? {}
  return {
    kind,
    name: metadata.name,
    namespace: metadata.namespace,
    workloadName: metadata.name,
    labels,
    addresses: [],
    ready: true,
    serviceAccount: template.spec?.serviceAccountName ?? 'default',
    locality: localityOf(labels),
    weight: 1,
    ports: containerPorts(template.spec),
    origin,
  }
}

/** `reviews-v1-545db77b95-wt8bp` belongs to `reviews-v1`: the template's hash is among the labels. */
function deploymentOfPod(podName: string, labels: Labels): string {
  const hash = labels['pod-template-hash']
  const at = hash === undefined ? -1 : podName.lastIndexOf(`-${hash}-`)
  return at > 0 ? podName.slice(0, at) : podName
}

/** A Pod as a cluster shows it has conditions; one written by hand may have only an address. */
function isPodReady(pod: ConfigObject<PodBody>): boolean {
  const status = pod.body.status
  const condition = status?.conditions?.find((c) => c.type === 'Ready')
  if (condition !== undefined) return condition.status === 'True'
  return status?.phase === undefined || status.phase === 'Running'
}

function containerPorts(spec: PodSpec | undefined): Record<string, number> {
  const ports: Record<string, number> = {}
  // A native sidecar is an init container that stays, and may serve ports too.
  for (const container of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]) {
    for (const port of container.ports ?? []) {
      if (port.name !== undefined) ports[port.name] ??= port.containerPort
    }
  }
  return ports
}

export const LOCALITY_LABEL = 'istio-locality'

/** Istio's own label first (dots for slashes), then Kubernetes' topology labels. */
export function localityOf(labels: Labels): string {
  const own = labels[LOCALITY_LABEL]
  if (own !== undefined) return own.replaceAll('.', '/')
  const region = labels['topology.kubernetes.io/region']
  if (region === undefined) return ''
  const zone = labels['topology.kubernetes.io/zone']
  if (zone === undefined) return region
  const subzone = labels['topology.istio.io/subzone']
  return subzone === undefined ? `${region}/${zone}` : `${region}/${zone}/${subzone}`
}
