import type { Finding } from '../../config/finding.ts'
import { hostOfIstioService } from '../../config/istio-service.ts'
import type { ConfigObject } from '../../config/object.ts'
import type { QuotaSpecBindingBody } from '../../crds/kinds/mixer.ts'
import type { Memo } from '../memo.ts'
import type { Labels } from '../registry/labels.ts'
import type { ObjectsByKind } from '../registry/objects.ts'
import type { Service } from '../registry/service.ts'
import { REFERENCE_NOT_FOUND } from './dangling.ts'
import type { ServiceInstance } from './instances.ts'
import type { MeshOptions } from './options.ts'

/** What proxies must know of a mesh's mixer and of its configuration. */
export interface MixerPolicy {
  /** Where it is asked. */
  readonly host: string
  readonly port: number
  readonly failOpen: boolean
  /** The labels of workloads that its configuration speaks of; undefined where all may matter. */
  readonly labels: readonly string[] | undefined
  /** What quotas may depend on, as attributes with their keys: `request.headers[cookie]`. */
  readonly quotaReads: readonly string[]
  readonly bindings: readonly ConfigObject<QuotaSpecBindingBody>[]
  readonly domain: string
}

/** What a workload's proxy tells of it. */
export interface WorkloadPolicy extends ToldWorkload {
  readonly mixer: MixerPolicy
}

export interface ToldWorkload {
  readonly labels: Labels
  /** What it serves: the host of each port, by the workload's own port and by the service's. */
  readonly served: readonly { readonly host: string; readonly port: number; readonly targetPort: number }[]
}

/** undefined where no mixer is to be asked. */
export function mixerPolicy(byKind: ObjectsByKind, options: MeshOptions, memo: Memo): MixerPolicy | undefined {
  const { mixerCheckServer, disablePolicyChecks, policyCheckFailOpen, domain } = options
  if (mixerCheckServer === '' || disablePolicyChecks) return undefined
  const rules = byKind.of('config.istio.io/rule')
  const instances = byKind.of('config.istio.io/instance')
  const older = byKind.of('config.istio.io/quota')
  const specs = byKind.of('config.istio.io/QuotaSpec')
  const bindings = byKind.of('config.istio.io/QuotaSpecBinding')
  const lists = [rules, instances, older, specs, bindings]
  return memo.get('mixer policy', [options, ...lists], () => {
    const quotas = [...instances.filter(({ body: { spec } }) => isQuota(spec)), ...older]
    const all = references(lists.flat())
    const labelled = bindings
      .flatMap(({ body }) => body.spec.services ?? [])
      .map(({ labels = {} }) => Object.keys(labels))
    return {
      ...hostAndPort(mixerCheckServer),
      failOpen: policyCheckFailOpen,
      labels: labelsOf(all, labelled.flat()),
      quotaReads: references([...rules, ...quotas, ...specs]),
      bindings,
      domain,
    }
  })
}

export function hostAndPort(server: string): { host: string; port: number } {
  const colon = server.lastIndexOf(':')
  return { host: server.slice(0, colon), port: Number(server.slice(colon + 1)) }
}

const LABELS = 'destination.labels'

/** The labels of workloads among these attributes, and others; undefined where all may matter. */
export function labelsOf(attributes: readonly string[], others: readonly string[] = []): readonly string[] | undefined {
  return attributes.includes(LABELS) ? undefined : [...new Set([...keysOf(LABELS, attributes), ...others])].sort()
}

/** A mixer that no service is: its clients cannot ask it. */
export function unknownMixer(mixer: MixerPolicy | undefined, services: readonly Service[]): Finding[] {
  if (mixer === undefined) return []
  const becomes = mixer.failOpen ? 'passes unasked' : 'is answered 503'
  return unknownServer('mixerCheckServer', mixer.host, `every call to a sidecar ${becomes}`, services)
}

export function unknownServer(field: string, host: string, then: string, services: readonly Service[]): Finding[] {
  if (services.some((service) => service.host === host)) return []
  return [
    {
      code: REFERENCE_NOT_FOUND,
      severity: 'error',
      object: { kind: 'MeshConfig', namespace: '', name: '' },
      file: 'MeshConfig',
      line: 1,
      message: `${field}: no service is "${host}", so ${then}`,
    },
  ]
}

/** What of a workload the mixer's configuration may speak of. */
export function workloadPolicy(
  mixer: MixerPolicy | undefined,
  labels: Labels,
  served: readonly ServiceInstance[],
): WorkloadPolicy | undefined {
  return mixer && { mixer, ...toldWorkload(mixer.labels, labels, served) }
}

export function toldWorkload(
  wanted: readonly string[] | undefined,
  labels: Labels,
  served: readonly ServiceInstance[],
): ToldWorkload {
  const told = (wanted ?? Object.keys(labels).sort()).flatMap((key) => {
    const value = labels[key]
    return value === undefined ? [] : [[key, value] as const]
  })
  return {
    labels: Object.fromEntries(told),
    served: served.map(({ service: { host }, port: { number: port }, targetPort }) => ({ host, port, targetPort })),
  }
}

/** Whether some QuotaSpec is bound to a service. */
export function isQuotaBound({ bindings, domain }: MixerPolicy, host: string, labels: Labels): boolean {
  return bindings.some(({ metadata: { namespace }, body }) =>
    (body.spec.services ?? []).some((service) => {
      const wanted = hostOfIstioService(service, namespace, domain)
      if (wanted !== undefined && wanted !== host) return false
      return Object.entries(service.labels ?? {}).every(([key, value]) => labels[key] === value)
    }),
  )
}

function isQuota({ compiledTemplate, template }: { compiledTemplate?: string; template?: string }): boolean {
  return (compiledTemplate ?? template) === 'quota'
}

const REFERENCE =
  /\b((?:source|destination|request|response|origin|connection|api|context)(?:\.[A-Za-z_]+)+)(?:\[\s*"?([^"\]]+)"?\s*\])?/g

/** Every attribute that a text in these objects names, sorted. */
export function references(objects: readonly ConfigObject<{ readonly spec: unknown }>[]): string[] {
  const found = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value === 'string') {
      for (const [, name, key] of value.matchAll(REFERENCE))
        found.add(key === undefined ? `${name}` : `${name}[${key}]`)
    } else if (Array.isArray(value)) value.forEach(visit)
    else if (typeof value === 'object' && value !== null) {
      for (const [key, child] of Object.entries(value)) {
        visit(key)
        visit(child)
      }
    }
  }
  for (const { body } of objects) visit(body.spec)
  return [...found].sort()
}

/** The keys of this map among the attributes. */
export function keysOf(name: string, all: readonly string[]): string[] {
  return all.flatMap((one) => (one.startsWith(`${name}[`) ? [one.slice(name.length + 1, -1)] : []))
}
