import type { ConfigObject } from '../../../config/object.ts'
import type { PodBody } from '../../../crds/kinds/pod.ts'
import type { ServiceBody } from '../../../crds/kinds/service.ts'
import { canonicalIp } from '../../../lib/ip.ts'
import type { Value } from '../../attributes/value.ts'

/** What is known of one pod, by the names of the outputs (`$out.source_pod_name`). */
export type PodFacts = ReadonlyMap<string, Value>

interface Owner {
  readonly apiVersion?: string
  readonly kind?: string
  readonly name?: string
}

/** Pods by their address, and by `kubernetes://name.namespace`. */
export class PodIndex {
  readonly #byIp = new Map<string, Pod>()
  readonly #byUid = new Map<string, Pod>()

  constructor(objects: readonly ConfigObject[], domain: string) {
    const services = objects.filter(({ kind }) => kind === 'Service') as unknown as ConfigObject<ServiceBody>[]
    for (const object of objects as unknown as readonly ConfigObject<PodBody>[]) {
      if (object.kind !== 'Pod') continue
      const pod = new Pod(object, services, domain)
      this.#byUid.set(pod.uid, pod)
      const { status, spec } = object.body
      // Pods on the host's network share its address: it names none of them.
      if (spec?.hostNetwork === true || status?.phase === 'Succeeded' || status?.phase === 'Failed') continue
      for (const ip of [status?.podIP, ...(status?.podIPs ?? []).map((one) => one.ip)]) {
        const address = ip === undefined ? '' : canonicalIp(ip)
        if (address !== '') this.#byIp.set(address, pod)
      }
    }
  }

  find(uid: string | undefined, ip: string | undefined): Pod | undefined {
    const named = uid === undefined ? undefined : this.#byUid.get(uid)
    return named ?? (ip === undefined ? undefined : this.#byIp.get(ip))
  }
}

export class Pod {
  readonly uid: string
  readonly asSource: PodFacts
  readonly asDestination: PodFacts
  readonly #object: ConfigObject<PodBody>

  constructor(object: ConfigObject<PodBody>, services: readonly ConfigObject<ServiceBody>[], domain: string) {
    const { name, namespace, labels } = object.metadata
    const { spec, status } = object.body
    this.#object = object
    this.uid = `kubernetes://${name}.${namespace}`
    const workload = workloadOf(object)
    const facts = new Map<string, Value>([
      ['pod_uid', this.uid],
      ['pod_name', name],
      ['namespace', namespace],
      ['labels', labels],
      ['service_account_name', spec?.serviceAccountName || 'default'],
      ['owner', workload.owner],
      ['workload_uid', `istio://${namespace}/workloads/${workload.name}`],
      ['workload_name', workload.name],
      ['workload_namespace', namespace],
    ])
    for (const [fact, ip] of [
      ['pod_ip', status?.podIP],
      ['host_ip', status?.hostIP],
    ] as const) {
      const address = ip === undefined ? '' : canonicalIp(ip)
      if (address !== '') facts.set(fact, address)
    }
    const service = services.find(
      (one) => one.metadata.namespace === namespace && isSelected(one.body.spec.selector, labels),
    )
    if (service !== undefined) {
      facts.set('service_name', service.metadata.name)
      facts.set('service_namespace', namespace)
      facts.set('service_uid', `istio://${namespace}/services/${service.metadata.name}`)
      facts.set('service_host', `${service.metadata.name}.${namespace}.svc.${domain}`)
    }
    const named = (side: string) => new Map([...facts].map(([fact, value]) => [`$out.${side}_${fact}`, value] as const))
    this.asSource = named('source')
    this.asDestination = named('destination')
  }

  /** The container that listens at this port; where none says so, the only one. */
  container(port: number | undefined): string | undefined {
    const containers = this.#object.body.spec?.containers ?? []
    const found = containers.find(({ ports }) => ports?.some(({ containerPort }) => containerPort === port))
    return (found ?? (containers.length === 1 ? containers[0] : undefined))?.name
  }
}

function isSelected(selector: Record<string, string> | undefined, labels: Record<string, string>): boolean {
  const wanted = Object.entries(selector ?? {})
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value)
}

/** A Deployment's pods are owned by its ReplicaSet, whose name is the Deployment's and a hash. */
function workloadOf({ metadata, body }: ConfigObject<PodBody>): { name: string; owner: string } {
  const { name, namespace, labels } = metadata
  const owners = (body as { metadata?: { ownerReferences?: readonly Owner[] } }).metadata?.ownerReferences
  const owner = owners?.[0]
  const hash = labels['pod-template-hash']
  let kind = owner?.kind ?? 'Pod'
  let workload = owner?.name ?? name
  if (kind === 'ReplicaSet' && hash !== undefined && workload.endsWith(`-${hash}`)) {
    kind = 'Deployment'
    workload = workload.slice(0, -hash.length - 1)
  }
  const version = owner?.apiVersion ?? 'v1'
  return {
    name: workload,
    owner: `kubernetes://apis/${version}/namespaces/${namespace}/${kind.toLowerCase()}s/${workload}`,
  }
}
