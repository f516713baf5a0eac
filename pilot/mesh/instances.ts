import { workloadPort } from '../registry/endpoint.ts'
import { isEmptySelector, labelsMatch } from '../registry/labels.ts'
import type { Service, ServicePort } from '../registry/service.ts'
import type { Generation } from './generation.ts'
import type { ProxyNode } from './node.ts'

/** A port of a service that a proxy's own workload serves. */
export interface ServiceInstance {
  readonly service: Service
  readonly port: ServicePort
  readonly targetPort: number
}

/**
 * What calls may come in for: services of the namespace that select the workload, and services without a selector
 * that name one of its addresses. The oldest service comes first.
 */
export function instancesOf(node: ProxyNode, generation: Generation): readonly ServiceInstance[] {
  const found: ServiceInstance[] = []
  for (const service of generation.registry.services) {
    if (service.namespace !== node.namespace) continue
    const selected = !isEmptySelector(service.selector) && labelsMatch(service.selector, node.labels)
    for (const port of service.ports) {
      const targetPort = selected ? selectedPort(node, port) : addressedPort(node, service, port, generation)
      if (targetPort !== undefined) found.push({ service, port, targetPort })
    }
  }
  return found
}

function selectedPort(node: ProxyNode, port: ServicePort): number | undefined {
  if (node.workload !== undefined) return workloadPort(node.workload, port)
  return typeof port.targetPort === 'number' ? port.targetPort : undefined
}

/** Loopback addresses are everybody's, so they identify nobody. */
function addressedPort(
  node: ProxyNode,
  service: Service,
  port: ServicePort,
  generation: Generation,
): number | undefined {
  if (service.selector !== undefined || service.resolution !== 'ClientSideLB' || node.addresses.length === 0) {
    return undefined
  }
  return generation.registry
    .endpointsOf(service)
    .get(port.number)
    ?.find(({ address }) => node.addresses.includes(address) && !address.startsWith('127.'))?.port
}
