import { isHttp } from '../../registry/protocol.ts'
import type { InboundPlan } from '../inbound-plan.ts'
import { type ChainPlan, type ListenerPlan, listenerName, tcpTarget } from './plan.ts'

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
      chains: [{ ...inboundChain(plan), match: {} }],
      defaultChain: undefined,
      origin: plan.origin,
    }))
}

/** The chains of the ports that are redirected to the inbound listener. */
export function redirectedInbound(plans: readonly InboundPlan[]): ChainPlan[] {
  return plans.filter((plan) => !plan.bindToPort).map(inboundChain)
}

function inboundChain(plan: InboundPlan): ChainPlan {
  const name = listenerName(plan.bind, plan.port)
  const base = { name, match: { port: plan.port }, origin: plan.origin }
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
    },
  }
}
