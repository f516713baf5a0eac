import { hostWithin } from '../../../config/hosts.ts'
import { type GatewayPort, type GatewayServer, servedHosts } from '../../mesh/gateway.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import { gatewayRouteName } from '../route/gateway.ts'
import { distinctChains, type L4Context, tcpChains, tlsChains } from './l4-routes.ts'
import { type ChainPlan, type ListenerPlan, listenerName } from './plan.ts'

export interface GatewayContext extends Omit<L4Context, 'gateways' | 'port'> {
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
  return distinctChains(port.servers.flatMap((server) => serverChains(server, port.serverPort, context)))
}

/** Terminated TLS needs certificates, which the pilot does not hand out yet; such a server opens nothing. */
function serverChains(server: GatewayServer, serverPort: number, context: GatewayContext): ChainPlan[] {
  const l4 = { ...context, gateways: [server.gateway], port: serverPort }
  const bound = context.boundTo(server.gateway)
  if (server.protocol !== 'TLS' && server.protocol !== 'HTTPS') {
    // Bytes carry no host: the first VirtualService that may serve here has them.
    const first = bound.map((vs) => (servedHosts(server, vs).length > 0 ? tcpChains(vs.tcp, {}, l4) : []))
    return first.find((chains) => chains.length > 0) ?? []
  }
  if ((server.server.tls?.mode ?? 'PASSTHROUGH') !== 'PASSTHROUGH') return []
  return bound.flatMap((vs) => {
    const hosts = servedHosts(server, vs)
    return tlsChains(vs.tls, (sniHost) => hosts.some((host) => hostWithin(sniHost, host)), l4)
  })
}
