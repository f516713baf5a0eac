import { originAt } from '../../../config/object.ts'
import type { HostIndex } from '../../mesh/host-index.ts'
import type { NodeScope } from '../../mesh/scope.ts'
import type { EgressScope } from '../../mesh/sidecar.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import type { Endpoint } from '../../registry/endpoint.ts'
import { isHttp, parseProtocol } from '../../registry/protocol.ts'
import type { Service, ServicePort } from '../../registry/service.ts'
import { ruleIndex } from '../route/sidecar.ts'
import { distinctChains } from './l4-routes.ts'
import { type ChainPlan, type HttpTarget, type ListenerPlan, listenerName } from './plan.ts'
import { type ServiceChainContext, serviceChains } from './service-chains.ts'

export interface OutboundContext extends ServiceChainContext {
  readonly scope: NodeScope
  endpointsOf(service: Service, port: number): readonly Endpoint[]
}

/** A listener for HTTP, and the table by which it routes. */
export interface RouteUse {
  readonly name: string
  readonly port: number
  readonly egress: EgressScope
}

/** The ways out of a sidecar, but for the catch-all. */
export function sidecarOutbound(context: OutboundContext): { listeners: ListenerPlan[]; routes: RouteUse[] } {
  const found = new Map<string, ListenerPlan>()
  const routes: RouteUse[] = []
  for (const egress of context.scope.egress) {
    const opened = egress.listener?.port === undefined ? captured(egress, context) : [ownPort(egress, context)]
    for (const { listener, route } of opened) {
      // On one address the first listener stays.
      if (listener === undefined || found.has(listener.name)) continue
      found.set(listener.name, listener)
      if (route !== undefined) routes.push(route)
    }
  }
  return { listeners: [...found.values()], routes }
}

interface Opened {
  listener: ListenerPlan | undefined
  route?: RouteUse
}

/** A listener that a Sidecar gives a port of its own. */
function ownPort(egress: EgressScope, context: OutboundContext): Opened {
  const { scope } = context
  const { listener, index } = egress
  if (listener?.port === undefined || scope.sidecar === undefined) return { listener: undefined }
  const { number } = listener.port
  const bindToPort = listener.captureMode === 'NONE' || (!scope.captured && listener.captureMode !== 'IPTABLES')
  const bind = listener.bind || (bindToPort ? '127.0.0.1' : '0.0.0.0')
  const base = { ...outbound(bind, number), bindToPort, origin: originAt(scope.sidecar, ['spec', 'egress', index]) }
  if (isHttp(parseProtocol(listener.port.protocol))) {
    const name = ownRouteName(egress, bind, scope)
    const chains = [httpChain(bind, number, name)]
    return { listener: { ...base, chains }, route: { name, port: number, egress } }
  }
  const rules = ruleIndex(egress.virtualServices)
  const served = egress.services.services.flatMap((service) =>
    service.ports
      .filter((port) => (egress.anyPort ? !isHttp(port.protocol) : port.number === number))
      .map((port) => ({ service, port })),
  )
  const apart = { byName: served.length > 1, byRange: false }
  const chains = distinctChains(
    served.flatMap(({ service, port }) => serviceChains(service, port, number, rules, apart, context)),
  )
  return { listener: chains.length === 0 ? undefined : { ...base, chains } }
}

/** A port's number names its table, unless another listener of that port knows other hosts. */
function ownRouteName({ listener }: EgressScope, bind: string, scope: NodeScope): string {
  const number = listener?.port?.number ?? 0
  const hosts = (egress: EgressScope['listener']) => JSON.stringify([...(egress?.hosts ?? [])].sort())
  const conflicts = scope.egress.some(
    (other) => other.listener?.port?.number === number && hosts(other.listener) !== hosts(listener),
  )
  return conflicts || number === 0 ? listenerName(bind, number) : String(number)
}

/** The listeners that redirected connections are handed to, by the address that they were made for. */
function captured(egress: EgressScope, context: OutboundContext): Opened[] {
  if (!context.scope.captured) return []
  const rules = ruleIndex(egress.virtualServices)
  const opened = new Map<string, Opened & { listener: ListenerPlan }>()
  for (const service of egress.services.services) {
    for (const port of service.ports) {
      if (port.protocol === 'UDP') continue
      if (isHttp(port.protocol)) addHttp(service, port, egress, opened)
      else addTcp(service, port, rules, context, opened)
    }
  }
  return [...opened.values()]
}

type OpenedByName = Map<string, Opened & { listener: ListenerPlan }>

/** All HTTP services of a port share a listener and are told apart by their hosts. */
function addHttp(service: Service, port: ServicePort, egress: EgressScope, opened: OpenedByName): void {
  const base = outbound('0.0.0.0', port.number)
  if (opened.has(base.name)) return
  const name = String(port.number)
  opened.set(base.name, {
    listener: { ...base, chains: [httpChain('0.0.0.0', port.number, name)], origin: service.origin },
    route: { name, port: port.number, egress },
  })
}

function addTcp(
  service: Service,
  port: ServicePort,
  rules: HostIndex<VirtualService>,
  context: OutboundContext,
  opened: OpenedByName,
): void {
  for (const bind of tcpBinds(service, port, context)) {
    const base = outbound(bind, port.number)
    const apart = { byName: bind === '0.0.0.0', byRange: bind === '0.0.0.0' }
    const chains = serviceChains(service, port, port.number, rules, apart, context)
    const existing = opened.get(base.name)
    if (existing === undefined) {
      opened.set(base.name, { listener: { ...base, chains, origin: service.origin } })
    } else if (existing.route === undefined) {
      // Several services without an address of their own share a port, as far as their names or ranges differ.
      const all = distinctChains([...existing.listener.chains, ...chains])
      opened.set(base.name, { listener: { ...existing.listener, chains: all } })
    }
  }
}

/** A service's virtual addresses, the Pods of a headless one, or every address. */
function tcpBinds(service: Service, port: ServicePort, { endpointsOf, scope }: OutboundContext): string[] {
  const addresses = service.headless
    ? endpointsOf(service, port.number).flatMap((endpoint) => (endpoint.ready ? [endpoint.address] : []))
    : service.addresses.filter((address) => !address.includes('/'))
  const others = addresses.filter((address) => address !== scope.address)
  return others.length === 0 ? ['0.0.0.0'] : [...new Set(others)]
}

function outbound(bind: string, port: number): ListenerPlan {
  return {
    name: listenerName(bind, port),
    bind,
    port,
    bindToPort: false,
    direction: 'outbound',
    useOriginalDst: false,
    chains: [],
    defaultChain: undefined,
    origin: undefined,
  }
}

function httpChain(bind: string, port: number, routeName: string): ChainPlan {
  const target: HttpTarget = {
    kind: 'http',
    role: 'sidecarOutbound',
    statPrefix: `outbound_${listenerName(bind, port)}`,
    routes: { rds: routeName },
  }
  return { name: '', match: {}, target, origin: undefined }
}
