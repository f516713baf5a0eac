import { formatClusterName } from '../../../api/names.ts'
import { MESH_GATEWAY } from '../../../config/hosts.ts'
import type { HostIndex } from '../../mesh/host-index.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import { isTls } from '../../registry/protocol.ts'
import type { Service, ServicePort } from '../../registry/service.ts'
import { type L4Context, tcpChains, tlsChains } from './l4-routes.ts'
import { type ChainMatch, type ChainPlan, tcpTarget } from './plan.ts'

/** How the services that share an address are told apart: TLS by the name that it asks for, the rest by its range. */
export interface TellApart {
  readonly byName: boolean
  readonly byRange: boolean
}

export type ServiceChainContext = Omit<L4Context, 'gateways' | 'port'>

/**
 * The filter chains by which a sidecar takes connections to one port of a service that is not HTTP: those of its
 * VirtualService, else one to the service's own cluster. `listenerPort` is what rules call the port.
 */
export function serviceChains(
  service: Service,
  port: ServicePort,
  listenerPort: number,
  rules: HostIndex<VirtualService>,
  apart: TellApart,
  context: ServiceChainContext,
): ChainPlan[] {
  const rule = rules.lookup(service.host)[0]
  const l4: L4Context = { ...context, gateways: [MESH_GATEWAY], port: listenerPort }
  const limits = limitsOf(service, port, apart)
  const own = rule === undefined ? [] : ruleChains(rule, port, limits, l4)
  if (own.length > 0) return own
  const cluster = formatClusterName({ direction: 'outbound', port: port.number, subset: '', host: service.host })
  const idleTimeout = context.idleTimeoutOf(service, port.number)
  const target = tcpTarget(cluster, idleTimeout, context.hashesSourceIp(service, port.number, ''))
  return [{ name: '', match: limits, target, origin: service.origin }]
}

function ruleChains(rule: VirtualService, port: ServicePort, limits: ChainMatch, context: L4Context): ChainPlan[] {
  return isTls(port.protocol) ? tlsChains(rule.tls, () => true, context) : tcpChains(rule.tcp, limits, context)
}

function limitsOf(service: Service, port: ServicePort, apart: TellApart): ChainMatch {
  const ranges = apart.byRange ? service.addresses.filter((address) => address.includes('/')) : []
  return {
    ...(ranges.length > 0 && { destinations: ranges }),
    ...(apart.byName && isTls(port.protocol) && { serverNames: [service.host] }),
  }
}
