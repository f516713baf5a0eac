import { formatSniName } from '../../../api/names.ts'
import type { DestinationRule } from '../../mesh/destination-rule.ts'
import { type GatewayServer, hostNames } from '../../mesh/gateway.ts'
import type { Service } from '../../registry/service.ts'
import { clusterNameOf, isPassedOn } from '../cluster/plan.ts'
import { type ChainPlan, tcpTarget } from './plan.ts'

export interface PassthroughContext {
  /** What the gateway sees. */
  readonly services: readonly Service[]
  ruleOf(service: Service): DestinationRule | undefined
  idleTimeoutOf(service: Service | undefined, port: number): string | undefined
}

/** What sidecars offer for the mesh's own TLS: nothing else is passed on, so that it comes out as mutual TLS or not at all. */
const MESH_TLS_PROTOCOLS = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2']

/**
 * A chain for each cluster that may be named by SNI, to the cluster of that name (Istio's AUTO_PASSTHROUGH, for gateways between
 * clusters). No VirtualService has a say: the client has routed already.
 */
export function passthroughChains(server: GatewayServer, context: PassthroughContext): ChainPlan[] {
  const hosts = hostNames(server)
  return context.services
    .filter((service) => isPassedOn(service, hosts))
    .flatMap((service) => {
      const subsets = [undefined, ...(context.ruleOf(service)?.subsets ?? [])]
      const ports = service.ports.filter(({ protocol }) => protocol !== 'UDP')
      return ports.flatMap((port) =>
        subsets.map((entry): ChainPlan => {
          const name = formatSniName(clusterNameOf(service, port, entry?.subset))
          return {
            name: '',
            match: { serverNames: [name], applicationProtocols: MESH_TLS_PROTOCOLS },
            target: tcpTarget(name, context.idleTimeoutOf(service, port.number)),
            passesTls: true,
            origin: entry?.origin ?? server.origin,
          }
        }),
      )
    })
}
