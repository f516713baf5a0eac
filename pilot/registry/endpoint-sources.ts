import type { ConfigObject } from '../../config/object.ts'
import type { EndpointSliceBody } from '../../crds/kinds/endpoint-slice.ts'
import type { EndpointsBody, EndpointsTargetRef } from '../../crds/kinds/endpoints.ts'
import type { ServiceEntryBody } from '../../crds/kinds/service-entry.ts'
import { type Endpoint, endpointOfWorkload } from './endpoint.ts'
import type { Service, ServicePort } from './service.ts'
import { entryFields, type Workload } from './workload.ts'
import type { WorkloadIndex } from './workload-index.ts'

/**
 * The places where the endpoints of a service's port can be written, one function each. `undefined` from the first
 * two means that the source says nothing about the service, as against an empty list.
 */

export function fromSlices(
  slices: readonly ConfigObject<EndpointSliceBody>[],
  service: Service,
  port: ServicePort,
  workloads: WorkloadIndex,
): Endpoint[] | undefined {
  if (slices.length === 0) return undefined
  const found: Endpoint[] = []
  for (const { body } of slices) {
    const number = namedPort(body.ports ?? [], port)
    if (number === undefined) continue
    for (const endpoint of body.endpoints ?? []) {
      // Absent means ready (discovery.k8s.io/v1 EndpointConditions).
      const ready = endpoint.conditions?.ready !== false
      for (const address of endpoint.addresses) {
        found.push(addressEndpoint(service, address, number, ready, endpoint.targetRef, workloads))
      }
    }
  }
  return found
}

export function fromEndpoints(
  object: ConfigObject<EndpointsBody> | undefined,
  service: Service,
  port: ServicePort,
  workloads: WorkloadIndex,
): Endpoint[] | undefined {
  if (object === undefined) return undefined
  const found: Endpoint[] = []
  for (const subset of object.body.subsets ?? []) {
    const number = namedPort(subset.ports ?? [], port)
    if (number === undefined) continue
    for (const { ip, targetRef } of subset.addresses ?? []) {
      found.push(addressEndpoint(service, ip, number, true, targetRef, workloads))
    }
    for (const { ip, targetRef } of subset.notReadyAddresses ?? []) {
      found.push(addressEndpoint(service, ip, number, false, targetRef, workloads))
    }
  }
  return found
}

export function fromWorkloads(workloads: readonly Workload[], port: ServicePort): Endpoint[] {
  const found: Endpoint[] = []
  for (const workload of workloads) {
    // A Pod with two addresses is one endpoint: the first family is the service's.
    const address = workload.addresses[0]
    const endpoint = address === undefined ? undefined : endpointOfWorkload(workload, address, port)
    if (endpoint !== undefined) found.push(endpoint)
  }
  return found
}

/** Endpoints written inside a ServiceEntry; one resolved by DNS that has none is its own host. */
export function fromServiceEntry(object: ConfigObject<ServiceEntryBody>, service: Service, port: ServicePort) {
  const { spec } = object.body
  if (service.resolution === 'Passthrough') return []
  const inline = (spec.endpoints ?? []).map((entry) => ({
    ...entryFields(entry),
    kind: 'WorkloadEntry',
    name: '',
    namespace: service.namespace,
    origin: service.origin,
  }))
  const byName = service.resolution === 'DNSLB' || service.resolution === 'DNSRoundRobinLB'
  if (inline.length === 0 && byName && spec.workloadSelector === undefined) return [hostEndpoint(service, port)]
  return fromWorkloads(inline, port)
}

/** The host itself, to be resolved by DNS: of a ServiceEntry, or of a Service of type ExternalName. */
export function hostEndpoint(service: Service, port: ServicePort, host = service.host): Endpoint {
  return {
    address: host,
    port: typeof port.targetPort === 'number' ? port.targetPort : port.number,
    ready: true,
    labels: service.labels,
    namespace: service.namespace,
    workloadName: '',
    serviceAccount: '',
    locality: '',
    weight: 1,
  }
}

/** Endpoints objects name their ports as the Service does; a port without name stands for the only one. */
function namedPort(ports: readonly { name?: string; port?: number }[], port: ServicePort): number | undefined {
  return ports.find((candidate) => (candidate.name ?? '') === port.name)?.port
}

function addressEndpoint(
  service: Service,
  address: string,
  port: number,
  ready: boolean,
  targetRef: EndpointsTargetRef | undefined,
  workloads: WorkloadIndex,
): Endpoint {
  const named =
    targetRef?.kind === 'Pod' && targetRef.name !== undefined
      ? workloads.byName(targetRef.namespace ?? service.namespace, targetRef.name)
      : undefined
  const workload = named ?? workloads.byAddress(address)
  return {
    address,
    port,
    ready,
    labels: workload?.labels ?? {},
    namespace: service.namespace,
    workloadName: workload?.workloadName ?? '',
    serviceAccount: workload?.serviceAccount ?? '',
    locality: workload?.locality ?? '',
    weight: 1,
  }
}
