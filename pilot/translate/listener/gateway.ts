import { hostWithin } from '../../../config/hosts.ts'
import type { ServerTLSSettings } from '../../../crds/kinds/gateway.ts'
import {
  type GatewayPort,
  type GatewayServer,
  hostNames,
  isAutoPassthrough,
  servedHosts,
  terminatedTls,
} from '../../mesh/gateway.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import { gatewayRouteName, httpsRouteName } from '../route/gateway.ts'
import { distinctChains, type L4Context, tcpChains, tlsChains } from './l4-routes.ts'
import { type PassthroughContext, passthroughChains } from './passthrough.ts'
import { type ChainMatch, type ChainPlan, type ListenerPlan, listenerName } from './plan.ts'

export interface GatewayContext extends Omit<L4Context, 'gateways' | 'port'>, PassthroughContext {
  /** The VirtualServices of a Gateway, oldest first. */
  boundTo(gateway: string): readonly VirtualService[]
}

/** The listener of one port of a gateway; undefined when nothing may be done with a connection to it. */
export function gatewayListener(port: GatewayPort, context: GatewayContext): ListenerPlan | undefined {
  const chains = port.mode === 'http' ? [httpChain(port)] : l4Chains(port, context)
  if (chains.length === 0) return undefined
  return {
    name: listenerName(port.bind, port.port),
    bind: port.bind,
    port: port.port,
    bindToPort: true,
    direction: 'outbound',
    useOriginalDst: false,
    chains,
    defaultChain: undefined,
    origin: port.servers[0]?.origin,
  }
}

/** Bytes carry no host: the first VirtualService that may serve here has them. */
function tcpServerChains(
  server: GatewayServer,
  match: ChainMatch,
  context: L4Context,
  bound: readonly VirtualService[],
): ChainPlan[] {
  const first = bound.map((vs) => (servedHosts(server, vs).length > 0 ? tcpChains(vs.tcp, match, context) : []))
  return first.find((chains) => chains.length > 0) ?? []
}

/** Browsers and gRPC choose HTTP/2, all others HTTP/1.1. */
const HTTPS_PROTOCOLS = ['h2', 'http/1.1']
/** Sidecars offer these for bytes (Istio's ALPNDownstreamWithMxc). */
const MESH_PROTOCOLS = ['istio-peer-exchange', 'h2', 'http/1.1']

function httpsChain(
  port: GatewayPort,
  server: GatewayServer,
  match: ChainMatch,
  settings: ServerTLSSettings,
): ChainPlan {
  return {
    name: '',
    match,
    target: {
      kind: 'http',
      role: 'gateway',
      statPrefix: `outbound_${listenerName(port.bind, port.port)}`,
      routes: { rds: httpsRouteName(port, server) },
    },
    tls: { settings, alpnProtocols: HTTPS_PROTOCOLS },
    origin: server.origin,
  }
}

function httpChain(port: GatewayPort): ChainPlan {
  return {
    name: '',
    match: {},
    target: {
      kind: 'http',
      role: 'gateway',
      statPrefix: `outbound_${listenerName(port.bind, port.port)}`,
      routes: { rds: gatewayRouteName(port) },
    },
    origin: undefined,
  }
}

function l4Chains(port: GatewayPort, context: GatewayContext): ChainPlan[] {
  return distinctChains(port.servers.flatMap((server) => serverChains(port, server, context)))
}

/** A server that is to end TLS but has no certificate opens nothing. */
function serverChains(port: GatewayPort, server: GatewayServer, context: GatewayContext): ChainPlan[] {
  const l4 = { ...context, gateways: [server.gateway], port: port.serverPort }
  const bound = context.boundTo(server.gateway)
  if (server.protocol !== 'TLS' && server.protocol !== 'HTTPS') {
    return tcpServerChains(server, {}, l4, bound)
  }
  const settings = terminatedTls(server)
  if (settings !== undefined) {
    const match = { serverNames: hostNames(server) }
    if (server.protocol === 'HTTPS') return [httpsChain(port, server, match, settings)]
    const tls = { settings, alpnProtocols: settings.mode === 'ISTIO_MUTUAL' ? MESH_PROTOCOLS : [] }
    return tcpServerChains(server, match, l4, bound).map((chain) => ({ ...chain, tls }))
  }
  if (isAutoPassthrough(server)) return passthroughChains(server, context)
  if ((server.server.tls?.mode ?? 'PASSTHROUGH') !== 'PASSTHROUGH') return []
  return bound.flatMap((vs) => {
    const hosts = servedHosts(server, vs)
    return tlsChains(vs.tls, (sniHost) => hosts.some((host) => hostWithin(sniHost, host)), l4)
  })
}
