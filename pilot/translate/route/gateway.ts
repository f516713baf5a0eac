import { type GatewayPort, type GatewayServer, servedHosts, terminatedTls } from '../../mesh/gateway.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import { claimDomains, type RoutePlan } from './plan.ts'
import { ServerNames } from './served-names.ts'
import type { VirtualHostPlan } from './virtual-host.ts'

/** Istio's gatewayRDSRouteName. The address is part of the name only when a server gives one. */
export function gatewayRouteName({ port, bind, servers }: GatewayPort): string {
  const given = servers.some(({ server }) => server.bind !== undefined && server.bind !== '')
  return given ? `http.${port}.${bind}` : `http.${port}`
}

/** The table of a server that ends TLS: it has one of its own, since its clients named it before their first request. */
export function httpsRouteName(port: GatewayPort, { gateway, server }: GatewayServer): string {
  const [namespace, name] = gateway.split('/')
  const bind = server.bind === undefined || server.bind === '' ? '' : `.${server.bind}`
  return `https.${port.port}.${server.port.name}.${name}.${namespace}${bind}`
}

type BoundTo = (gateway: string) => readonly VirtualService[]

/** The route tables of a gateway's port: one for all that comes as plain HTTP, one for each server that ends TLS. */
export function gatewayRoutePlans(port: GatewayPort, boundTo: BoundTo): readonly RoutePlan[] {
  if (port.mode === 'http') return [gatewayRoutePlan(gatewayRouteName(port), port, boundTo)]
  const ending = port.servers.filter((server) => server.protocol === 'HTTPS' && terminatedTls(server) !== undefined)
  const names = new ServerNames(port.servers)
  return ending.map((server) => httpsRoutePlan(port, server, names, boundTo))
}

/** A client that asked for one of the server's names is answered for those, and for no other's: see `served-names.ts`. */
function httpsRoutePlan(port: GatewayPort, server: GatewayServer, names: ServerNames, boundTo: BoundTo): RoutePlan {
  const bound = gatewayRoutePlan(httpsRouteName(port, server), { ...port, servers: [server] }, boundTo)
  const virtualHosts = bound.virtualHosts.filter(({ domains }) => domains.every((one) => names.isOwn(one, server)))
  const taken = virtualHosts.flatMap(({ domains }) => domains)
  const otherwise = { kind: 'otherServers' as const, port: port.serverPort, ...names.left(server, taken) }
  return { ...bound, virtualHosts, otherwise }
}

/**
 * A route table of a gateway's port (Istio's buildGatewayHTTPRouteConfig): a virtual host for each host
 * that a server allows and a bound VirtualService has, with the routes of all such VirtualServices, oldest first.
 */
function gatewayRoutePlan(name: string, port: GatewayPort, boundTo: BoundTo): RoutePlan {
  const hosts = new Map<string, HostEntry>()
  const entryOf = (host: string, server: GatewayServer) => {
    const entry = hosts.get(host) ?? { rules: new Map(), redirectToTls: false, server }
    hosts.set(host, entry)
    return entry
  }
  for (const server of port.servers) {
    for (const virtualService of boundTo(server.gateway)) {
      if (virtualService.http.length === 0) continue
      for (const host of servedHosts(server, virtualService))
        bind(entryOf(host, server), virtualService, server.gateway)
    }
    if (server.server.tls?.httpsRedirect !== true) continue
    for (const { host } of server.hosts) entryOf(host, server).redirectToTls = true
  }
  return {
    name,
    virtualHosts: planHosts(hosts, port),
    otherwise: { kind: 'nobodyBound', port: port.serverPort },
    ignorePort: true,
  }
}

interface HostEntry {
  /** The Gateways through which each VirtualService comes to the host. */
  rules: Map<VirtualService, string[]>
  redirectToTls: boolean
  server: GatewayServer
}

function bind(entry: HostEntry, virtualService: VirtualService, gateway: string): void {
  const gateways = entry.rules.get(virtualService)
  if (gateways === undefined) entry.rules.set(virtualService, [gateway])
  else if (!gateways.includes(gateway)) gateways.push(gateway)
}

function planHosts(hosts: ReadonlyMap<string, HostEntry>, port: GatewayPort): VirtualHostPlan[] {
  const taken = new Set<string>()
  const plans: VirtualHostPlan[] = []
  for (const [host, { rules, redirectToTls, server }] of hosts) {
    const domains = claimDomains([host], taken)
    if (domains.length === 0) continue
    plans.push({
      name: `${host}:${port.serverPort}`,
      domains,
      port: port.serverPort,
      rules: [...rules].map(([virtualService, gateways]) => ({ virtualService, gateways })),
      service: undefined,
      redirectToTls,
      origin: server.origin,
    })
  }
  return plans
}
