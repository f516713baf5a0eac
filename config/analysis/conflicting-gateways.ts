import type { GatewayBody } from '../../crds/kinds/gateway.ts'
import { splitNamespacedHost } from '../hosts.ts'
import type { ConfigObject } from '../object.ts'
import { wireProtocol } from '../validate/rules/common.ts'
import type { Analyzer } from './analyzer.ts'
import { append } from './context.ts'

interface Claim {
  gateway: ConfigObject<GatewayBody>
  server: number
  namespace: string
  /** Of a TLS server a host is served once only: the first of all servers has it, be they of one Gateway. */
  isTls: boolean
}

/** Two Gateways should not open the same port for the same host on the same workloads. */
export const conflictingGateways: Analyzer = {
  name: 'conflicting-gateways',
  codes: ['IST0145'],
  analyze(context) {
    const claims = new Map<string, Claim[]>()
    for (const gateway of context.all('Gateway')) {
      const selector = JSON.stringify(Object.entries(gateway.body.spec.selector ?? {}).sort())
      gateway.body.spec.servers?.forEach((server, index) => {
        for (const text of server.hosts) {
          const { namespace, host } = splitNamespacedHost(text)
          const key = `${selector} ${server.port.number} ${server.bind ?? ''} ${host}`
          const owner = namespace === '.' ? gateway.metadata.namespace : namespace
          append(claims, key, {
            gateway,
            server: index,
            namespace: owner,
            isTls: wireProtocol(server.port.protocol) === 'tls',
          })
        }
      })
    }
    const reported = new Set<string>()
    for (const list of claims.values()) {
      for (const claim of list) {
        const rivals = list.filter(
          (other) =>
            (other.gateway !== claim.gateway || (claim.isTls && other.server !== claim.server)) &&
            overlap(other.namespace, claim.namespace),
        )
        if (rivals.length === 0) continue
        const { gateway, server } = claim
        const once = `${gateway.metadata.namespace}/${gateway.metadata.name} ${server}`
        if (reported.has(once)) continue
        reported.add(once)
        const names = rivals.map(({ gateway: { metadata }, gateway: rival }) =>
          rival === gateway ? 'another server of it' : `${metadata.namespace}/${metadata.name}`,
        )
        const number = gateway.body.spec.servers?.[server]?.port.number
        const message = `${[...new Set(names)].join(', ')} opens port ${number} for the same hosts and workloads`
        context.report('IST0145', gateway, ['spec', 'servers', server], message)
      }
    }
  },
}

function overlap(a: string, b: string): boolean {
  return a === '*' || b === '*' || a === b
}
