import type { Memo } from '../memo.ts'
import { workloadPort } from '../registry/endpoint.ts'
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
      addressed ??= byAddress(registry)
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

/** Loopback addresses are everybody's, so they identify nobody. */
function byAddress(registry: Registry): ReadonlyMap<string, readonly ServiceInstance[]> {
  const found = new Map<string, ServiceInstance[]>()
  for (const service of registry.services) {
    if (service.selector !== undefined || service.resolution !== 'ClientSideLB') continue
    const endpoints = registry.endpointsOf(service)
    for (const port of service.ports) {
      for (const { address, port: targetPort } of endpoints.get(port.number) ?? []) {
        if (address.startsWith('127.') || address === '::1') continue
        const instance = { service, port, targetPort }
        const known = found.get(address)
        if (known === undefined) found.set(address, [instance])
        else known.push(instance)
      }
    }
  }
  return found
}
