import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { DEFAULT_ENDPOINT_POLICY, type EndpointPlan } from '../plan/plan.ts'

/**
 * Where a connection was going before it was redirected: the host of an ORIGINAL_DST cluster. undefined for one that
 * came here by itself: its destination is this proxy, and it would go round for ever.
 */
export function originalEndpoint(facts: ConnectionFacts): EndpointPlan | undefined {
  if (!facts.isRestored) return undefined
  return {
    address: facts.destinationAddress,
    port: facts.destinationPort,
    unixPath: '',
    hostname: '',
    weight: 1,
    priority: 0,
    locality: '',
    localityWeight: 0,
    policy: DEFAULT_ENDPOINT_POLICY,
    healthy: true,
    degraded: false,
    draining: false,
    subsetMetadata: [],
    socketMetadata: undefined,
    hashKey: '',
  }
}
