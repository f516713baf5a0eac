import { BLACK_HOLE_CLUSTER } from '../../../api/names.ts'
import type { MtlsMode } from '../../mesh/peer-authentication.ts'
import { isHttp } from '../../registry/protocol.ts'
import type { InboundPlan } from '../inbound-plan.ts'
import { type ChainMatch, type ChainPlan, type ListenerPlan, listenerName, tcpTarget } from './plan.ts'

/** A listener for each port that the proxy opens itself. */
export function boundInbound(plans: readonly InboundPlan[]): ListenerPlan[] {
  return plans
    .filter((plan) => plan.bindToPort)
    .map((plan) => ({
      name: listenerName(plan.bind, plan.port),
      bind: plan.bind,
      port: plan.port,
      bindToPort: true,
      direction: 'inbound',
      useOriginalDst: false,
      chains: inboundChains(plan, {}),
      defaultChain: undefined,
      origin: plan.origin,
    }))
}

/** The chains of the ports that are redirected to the inbound listener. */
export function redirectedInbound(plans: readonly InboundPlan[]): ChainPlan[] {
  return plans.filter((plan) => !plan.bindToPort).flatMap((plan) => inboundChains(plan, { port: plan.port }))
}

/** What Istio's clients offer by ALPN within the mesh: by it their TLS is told from that of an application. */
export const MESH_PROTOCOLS = ['istio-peer-exchange', 'istio', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2']
const HTTP_ALPN = ['h2', 'http/1.1']
const TCP_ALPN = ['istio-peer-exchange', 'istio']

/** A chain for calls by mutual TLS, one for plain text, or both. */
function inboundChains(plan: InboundPlan, match: ChainMatch): ChainPlan[] {
  const plain = inboundChain(plan, match)
  return securedChains(plain, plan.mtls, isHttp(plan.protocol) ? HTTP_ALPN : TCP_ALPN)
}

/** `plain`, as the mode has it. */
export function securedChains(
  plain: ChainPlan,
  mode: MtlsMode,
  alpnProtocols: readonly string[] = TCP_ALPN,
): ChainPlan[] {
  if (mode === 'DISABLE') return [plain]
  const tls = { settings: 'mesh' as const, alpnProtocols }
  const match: ChainMatch = { ...plain.match, transportProtocol: 'tls' }
  if (mode === 'STRICT') {
    const strict = { ...plain, match, tls }
    // What comes in plain text would find the listener's default chain, which is there for ports that no service has.
    return plain.match.port === undefined ? [strict] : [strict, { ...plain, target: tcpTarget(BLACK_HOLE_CLUSTER) }]
  }
  return [{ ...plain, match: { ...match, applicationProtocols: MESH_PROTOCOLS }, tls }, plain]
}

function inboundChain(plan: InboundPlan, match: ChainMatch): ChainPlan {
  const name = listenerName(plan.bind, plan.port)
  const base = { name, match, origin: plan.origin, ...(plan.reports && { reports: plan.reports }) }
  if (!isHttp(plan.protocol)) return { ...base, target: tcpTarget(plan.cluster) }
  return {
    ...base,
    target: {
      kind: 'http',
      role: 'sidecarInbound',
      statPrefix: `inbound_${name}`,
      routes: {
        name: plan.cluster,
        virtualHost: `inbound|http|${plan.servicePort}`,
        cluster: plan.cluster,
        origin: plan.origin,
      },
      ...(plan.policy && { policy: plan.policy }),
    },
  }
}
