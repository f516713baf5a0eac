import type { ConnectionFacts } from '../decide/connection-facts.ts'
import { plainEndpoint } from '../plan/plain-endpoint.ts'
import type { EndpointPlan } from '../plan/plan.ts'

/**
 * Where a connection was going before it was redirected: the host of an ORIGINAL_DST cluster. undefined for one that
 * came here by itself: its destination is this proxy, and it would go round for ever.
 */
export function originalEndpoint(facts: ConnectionFacts): EndpointPlan | undefined {
  return facts.isRestored ? plainEndpoint(facts.destinationAddress, facts.destinationPort) : undefined
}
