import type { GatewayBody } from '../../crds/kinds/gateway.ts'
import { hostsOverlap, MESH_GATEWAY, resolveGateway, resolveHost, splitNamespacedHost } from '../hosts.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'

/** A VirtualService gets calls from a gateway only for hosts that the gateway takes. */
export const gatewayHosts: Analyzer = {
  name: 'gateway-hosts',
  codes: ['IST0132'],
  analyze(context) {
    const gateways = new Map(
      context.all('Gateway').map((gateway) => [`${gateway.metadata.namespace}/${gateway.metadata.name}`, gateway]),
    )
    for (const virtualService of context.all('VirtualService')) {
      const { namespace } = virtualService.metadata
      const { hosts = [], gateways: references = [] } = virtualService.body.spec
      for (const reference of references) {
        if (reference === MESH_GATEWAY) continue
        const gateway = gateways.get(resolveGateway(reference, namespace))
        if (gateway === undefined) continue
        const taken = hostsFor(gateway, namespace)
        hosts.forEach((host, index) => {
          const full = resolveHost(host, namespace, context.domain)
          if (taken.some((pattern) => hostsOverlap(host, pattern) || hostsOverlap(full, pattern))) return
          const message = `gateway "${reference}" does not take the host "${host}" for namespace "${namespace}"`
          context.report('IST0132', virtualService, ['spec', 'hosts', index], message)
        })
      }
    }
  },
}

/** The hosts for which rules of `namespace` may attach to the gateway. */
function hostsFor(gateway: ConfigObject<GatewayBody>, namespace: string): string[] {
  return (gateway.body.spec.servers ?? [])
    .flatMap((server) => server.hosts)
    .map(splitNamespacedHost)
    .filter(({ namespace: owner }) => {
      return owner === '*' || owner === namespace || (owner === '.' && gateway.metadata.namespace === namespace)
    })
    .map(({ host }) => host)
}
