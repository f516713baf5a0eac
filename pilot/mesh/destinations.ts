import type { Origin } from '../../api/origin.ts'
import type { Destination } from '../../crds/kinds/common.ts'
import type { HTTPRoute } from '../../crds/kinds/virtual-service.ts'
import type { VirtualService } from './virtual-service.ts'

export interface DestinationUse {
  readonly destination: Destination
  /** Of the rule that names it. */
  readonly origin: Origin
}

/** Every place that a VirtualService may send a call to. */
export function destinationsOf(virtualService: VirtualService): readonly DestinationUse[] {
  const uses: DestinationUse[] = []
  for (const { route, origin } of virtualService.http) {
    for (const destination of httpDestinations(route)) uses.push({ destination, origin })
  }
  for (const rule of [...virtualService.tls, ...virtualService.tcp]) {
    for (const { destination } of rule.route) uses.push({ destination, origin: rule.origin })
  }
  return uses
}

function httpDestinations(route: HTTPRoute): Destination[] {
  return [
    ...(route.route ?? []).map((entry) => entry.destination),
    ...(route.mirror === undefined ? [] : [route.mirror]),
    ...(route.mirrors ?? []).map((entry) => entry.destination),
  ]
}

/** The hosts that some VirtualServices send to, each once. */
export function destinationHosts(virtualServices: readonly VirtualService[]): ReadonlySet<string> {
  const hosts = new Set<string>()
  for (const virtualService of virtualServices) {
    for (const { destination } of destinationsOf(virtualService)) hosts.add(destination.host)
  }
  return hosts
}
