import type { Memo } from '../memo.ts'
import { type ServiceEndpoints, workloadPort } from '../registry/endpoint.ts'
import { isEmptySelector, labelsMatch } from '../registry/labels.ts'
import type { Registry } from '../registry/registry.ts'
import type { Service, ServicePort } from '../registry/service.ts'
import type { ProxyNode } from './node.ts'

/** A port of a service that a proxy's own workload serves. */
export interface ServiceInstance {
  readonly service: Service
  readonly port: ServicePort
  readonly targetPort: number
}

/** Finds what calls may come in for a workload. */
export interface InstanceIndex {
  /**
   * The services of the workload's namespace that select it, oldest first, then those without a selector that name
   * one of its addresses.
   */
  of(node: ProxyNode): readonly ServiceInstance[]
}

/** `memo` keeps what holds for as long as no service changes. */
export function instanceIndex(registry: Registry, memo: Memo): InstanceIndex {
  const { services } = registry
  const selecting = memo.get('selecting services', [services], () => {
    const byNamespace = new Map<string, Service[]>()
    for (const service of services) {
      if (isEmptySelector(service.selector)) continue
      const found = byNamespace.get(service.namespace)
      if (found === undefined) byNamespace.set(service.namespace, [service])
      else found.push(service)
    }
    return byNamespace
  })
  let addressed: ReadonlyMap<string, readonly ServiceInstance[]> | undefined
  return {
    of(node) {
      const selected = (selecting.get(node.namespace) ?? []).filter((s) => labelsMatch(s.selector, node.labels))
      addressed ??= byAddress(registry, memo)
      const byOwnAddress = node.addresses.flatMap((address) => addressed?.get(address) ?? [])
      return [
        ...selected.flatMap((service) => selectedInstances(service, node)),
        ...byOwnAddress.filter(({ service }) => service.namespace === node.namespace),
      ]
    },
  }
}

function selectedInstances(service: Service, node: ProxyNode): ServiceInstance[] {
  return service.ports.flatMap((port) => {
    const targetPort = selectedPort(node, port)
    return targetPort === undefined ? [] : [{ service, port, targetPort }]
  })
}

function selectedPort(node: ProxyNode, port: ServicePort): number | undefined {
  if (node.workload !== undefined) return workloadPort(node.workload, port)
  return typeof port.targetPort === 'number' ? port.targetPort : undefined
}

type Addressed = readonly [address: string, instance: ServiceInstance]

function byAddress(registry: Registry, memo: Memo): ReadonlyMap<string, readonly ServiceInstance[]> {
  const services = registry.services.filter((s) => s.selector === undefined && s.resolution === 'ClientSideLB')
  const endpoints = services.map((service) => registry.endpointsOf(service))
  const found = new Map<string, ServiceInstance[]>()
  for (const addresses of memo.eachPair('addressed instances', services, endpoints, [], addressedInstances)) {
    for (const [address, instance] of addresses) {
      const known = found.get(address)
      if (known === undefined) found.set(address, [instance])
      else known.push(instance)
    }
  }
  return found
}

/** Loopback addresses are everybody's, so they identify nobody. */
function addressedInstances(service: Service, endpoints: ServiceEndpoints): Addressed[] {
  return service.ports.flatMap((port) =>
    (endpoints.get(port.number) ?? [])
      .filter(({ address }) => !address.startsWith('127.') && address !== '::1')
      .map(({ address, port: targetPort }): Addressed => [address, { service, port, targetPort }]),
  )
}
