import type { ConfigObject } from '../../config/object.ts'
import { type EndpointSliceBody, SERVICE_NAME_LABEL } from '../../crds/kinds/endpoint-slice.ts'
import type { EndpointsBody } from '../../crds/kinds/endpoints.ts'
import type { ServiceBody } from '../../crds/kinds/service.ts'
import type { ServiceEntryBody } from '../../crds/kinds/service-entry.ts'
import type { Memo } from '../memo.ts'
import type { MeshOptions } from '../mesh/options.ts'
import { type Endpoint, NO_ENDPOINTS, type ServiceEndpoints } from './endpoint.ts'
import { fromEndpoints, fromServiceEntry, fromSlices, fromWorkloads, hostEndpoint } from './endpoint-sources.ts'
import { serviceFromKubernetes } from './kubernetes-service.ts'
import { isEmptySelector, labelsMatch } from './labels.ts'
import type { ObjectsByKind } from './objects.ts'
import type { Service, ServicePort } from './service.ts'
import { servicesFromEntry } from './service-entry.ts'
import { type Workload, workloadFromDeployment, workloadFromEntry, workloadFromPod } from './workload.ts'
import { indexWorkloads, type WorkloadIndex } from './workload-index.ts'

/** Every service of the mesh, what runs behind it, and every workload. */
export interface Registry {
  /** Kubernetes' first, then by age. The same array while no service changed. */
  readonly services: readonly Service[]
  readonly workloads: WorkloadIndex
  /** The endpoints of a service by its key. The same map for the same content. */
  endpointsOf(service: Service): ServiceEndpoints
}

export function buildRegistry(objects: ObjectsByKind, options: MeshOptions, memo: Memo): Registry {
  const workloads = workloadsOf(objects, memo)
  const context = endpointContext(objects, workloads, memo)
  const services: Service[] = []
  const endpoints = new Map<string, ServiceEndpoints>()
  const kubernetes = objects.of('/Service')
  const ofObjects = memo.each('service', kubernetes, [options], (object) =>
    memo.intern('service', serviceFromKubernetes(object, options)),
  )
  for (const [i, service] of ofObjects.entries()) {
    services.push(service)
    endpoints.set(service.key, endpointsOfService(service, kubernetes[i] as ConfigObject<ServiceBody>, context, memo))
  }
  const entries = objects.of('networking.istio.io/ServiceEntry')
  for (const made of memo.each('service entry', entries, [options], (entry) => fromEntry(entry, options, memo))) {
    for (const [i, service] of made.services.entries()) {
      services.push(service)
      endpoints.set(service.key, made.endpoints?.[i] ?? selectedEndpoints(service, context, memo))
    }
  }
  return {
    services: memo.list('services', services),
    workloads,
    endpointsOf: (service) => mergedEndpoints(service, endpoints, memo),
  }
}

/** The services of a ServiceEntry, and what runs behind each; undefined when workloads are selected for them. */
interface OfEntry {
  readonly services: readonly Service[]
  readonly endpoints: readonly ServiceEndpoints[] | undefined
}

function fromEntry(entry: ConfigObject<ServiceEntryBody>, options: MeshOptions, memo: Memo): OfEntry {
  const services = servicesFromEntry(entry, options).map((service) => memo.intern('service', service))
  if (entry.body.spec.workloadSelector !== undefined) return { services, endpoints: undefined }
  const endpoints = services.map((service) => byPort(service, (port) => fromServiceEntry(entry, service, port), memo))
  return { services, endpoints }
}

/** Pods and WorkloadEntries, and each Deployment that no Pod is seen of. */
function workloadsOf(objects: ObjectsByKind, memo: Memo): WorkloadIndex {
  const running: Workload[] = []
  const add = <T>(object: ConfigObject<T>, make: (object: ConfigObject<T>) => Workload) =>
    running.push(memo.get('workload', [object], () => memo.intern('workload', make(object))))
  for (const pod of objects.of('/Pod')) add(pod, workloadFromPod)
  for (const entry of objects.of('networking.istio.io/WorkloadEntry')) add(entry, workloadFromEntry)
  const stable = memo.list('running workloads', running)
  const planned = (['apps/Deployment', 'apps/StatefulSet', 'apps/DaemonSet'] as const).flatMap((kind) =>
    objects.of(kind),
  )
  return memo.get('workload index', [stable, ...planned], () => {
    const index = indexWorkloads(stable)
    const symbolic = planned
      .filter(({ metadata, body }) => {
        const selector = body.spec.selector?.matchLabels ?? body.spec.template.metadata?.labels ?? {}
        return index.select(metadata.namespace, selector).length === 0
      })
      .map((deployment) => memo.intern('workload', workloadFromDeployment(deployment)))
    return symbolic.length === 0 ? index : indexWorkloads([...stable, ...symbolic])
  })
}

interface EndpointContext {
  workloads: WorkloadIndex
  slices: ReadonlyMap<string, readonly ConfigObject<EndpointSliceBody>[]>
  endpoints: ReadonlyMap<string, ConfigObject<EndpointsBody>>
}

function endpointContext(objects: ObjectsByKind, workloads: WorkloadIndex, memo: Memo): EndpointContext {
  const slices = objects.of('discovery.k8s.io/EndpointSlice')
  const endpoints = objects.of('/Endpoints')
  return memo.get('endpoint context', [slices, endpoints, workloads], () => {
    const slicesByService = new Map<string, ConfigObject<EndpointSliceBody>[]>()
    for (const slice of slices) {
      const key = `${slice.metadata.namespace}/${slice.metadata.labels[SERVICE_NAME_LABEL]}`
      const found = slicesByService.get(key)
      if (found === undefined) slicesByService.set(key, [slice])
      else found.push(slice)
    }
    const endpointsByService = new Map(endpoints.map((e) => [`${e.metadata.namespace}/${e.metadata.name}`, e]))
    return { workloads, slices: slicesByService, endpoints: endpointsByService }
  })
}

function selectedEndpoints(service: Service, { workloads }: EndpointContext, memo: Memo): ServiceEndpoints {
  const selected = selectedWorkloads(service, workloads)
  return memo.get('selected endpoints', [service, ...selected], () =>
    byPort(service, (port) => fromWorkloads(selected, port), memo),
  )
}

function endpointsOfService(
  service: Service,
  { body: { spec } }: ConfigObject<ServiceBody>,
  context: EndpointContext,
  memo: Memo,
): ServiceEndpoints {
  if (spec.type === 'ExternalName' && spec.externalName !== undefined) {
    const name = spec.externalName
    return memo.get('external name', [service, name], () =>
      byPort(service, (port) => [hostEndpoint(service, port, name)], memo),
    )
  }
  return kubernetesEndpoints(service, selectedWorkloads(service, context.workloads), context, memo)
}

/** EndpointSlices say it best, then Endpoints, then the Pods themselves. WorkloadEntries are known to neither. */
function kubernetesEndpoints(
  service: Service,
  selected: readonly Workload[],
  context: EndpointContext,
  memo: Memo,
): ServiceEndpoints {
  const key = `${service.namespace}/${service.name}`
  const slices = context.slices.get(key) ?? []
  const endpoints = context.endpoints.get(key)
  // Only a Service without a selector may have any workload of the mesh behind its addresses.
  const anyone = isEmptySelector(service.selector) ? context.workloads : undefined
  return memo.get('kubernetes endpoints', [service, slices.length, ...slices, endpoints, anyone, ...selected], () => {
    const known = anyone ?? indexWorkloads(selected)
    const pods = selected.filter((workload) => workload.kind === 'Pod')
    const entries = selected.filter((workload) => workload.kind === 'WorkloadEntry')
    const find = (port: ServicePort) => [
      ...(fromSlices(slices, service, port, known) ??
        fromEndpoints(endpoints, service, port, known) ??
        fromWorkloads(pods, port)),
      ...fromWorkloads(entries, port),
    ]
    return byPort(service, find, memo)
  })
}

function selectedWorkloads(service: Service, workloads: WorkloadIndex): readonly Workload[] {
  if (service.selector === undefined) return []
  // An empty selector of a ServiceEntry selects all of its namespace; a Kubernetes Service's selects nothing.
  if (!isEmptySelector(service.selector)) return workloads.select(service.namespace, service.selector)
  if (service.registry === 'Kubernetes') return []
  return workloads.all.filter((w) => w.namespace === service.namespace && labelsMatch(service.selector, w.labels))
}

function byPort(service: Service, find: (port: ServicePort) => Endpoint[], memo: Memo): ServiceEndpoints {
  const lists = service.ports.map((port) => memo.intern('endpoints', unique(find(port))))
  return memo.get('endpoints by port', [service, ...lists], () => {
    return new Map(service.ports.map((port, i) => [port.number, lists[i] as readonly Endpoint[]]))
  })
}

function unique(endpoints: Endpoint[]): Endpoint[] {
  const seen = new Set<string>()
  return endpoints.filter(({ address, port }) => {
    const key = `${address} ${port}`
    return seen.has(key) ? false : seen.add(key)
  })
}

/** A service that several ServiceEntries make together has the endpoints of them all. */
function mergedEndpoints(service: Service, all: ReadonlyMap<string, ServiceEndpoints>, memo: Memo): ServiceEndpoints {
  const own = all.get(service.key) ?? NO_ENDPOINTS
  if (service.mergedKeys.length === 0) return own
  const parts = [own, ...service.mergedKeys.map((key) => all.get(key) ?? NO_ENDPOINTS)]
  return memo.get('merged endpoints', [service, ...parts], () =>
    byPort(service, (port) => parts.flatMap((part) => part.get(port.number) ?? []), memo),
  )
}
