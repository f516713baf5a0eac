import type { ConnectionFacts } from '../decide/connection-facts.ts'
import type { EndpointPlan } from '../plan/plan.ts'

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
    healthy: true,
    socketMetadata: undefined,
    hashKey: '',
  }
}
