import type { ModeTelemetry, WorkloadTelemetry } from '../../mesh/telemetry.ts'
import type { ChainPlan, ListenerPlan } from '../listener/plan.ts'

/** `isOurs`: the proxy is a Lateen. Whatever chain a call finds, it is told of to the same. A gateway's calls are those of a client, as in Istio. */
export function withTelemetry(plan: ListenerPlan, telemetry: WorkloadTelemetry, isOurs: boolean): ListenerPlan {
  const { server, client } = telemetry
  const mode = plan.direction === 'inbound' ? server : client
  const told = (chain: ChainPlan): ChainPlan => ({ ...chain, telemetry: { ...mode, countsConnections: isOurs } })
  const { chains, defaultChain } = plan
  return { ...plan, telemetry: mode, chains: chains.map(told), defaultChain: defaultChain && told(defaultChain) }
}

export const NO_TELEMETRY: ModeTelemetry = {
  accessLogs: [],
  metrics: { isOn: false, overrides: [], reportingInterval: undefined },
  tracing: undefined,
}
