import { type ConnectionFacts, connectionFacts } from '../../../decide/connection-facts.ts'
import { type AuthorizationDecision, newAuthorization } from '../../../decide/decision.ts'
import type { Trace } from '../../../decide/trace.ts'
import { Asked } from '../../rbac/asked.ts'
import { allows, findPolicy } from '../../rbac/engine.ts'
import type { NetworkRbacPlan } from './config.ts'

/** One for all connections of the thread. */
const asked = new Asked(connectionFacts({}))

/**
 * Who may connect (envoy.filters.network.rbac): all filters of a chain in their order, up to one that denies. `count` hears the
 * counters. The connection is judged before anything is done for it; Envoy waits for its first byte.
 */
export function judgeConnection(
  filters: readonly NetworkRbacPlan[],
  facts: ConnectionFacts,
  count: (name: string) => void,
  trace?: Trace,
): AuthorizationDecision {
  const found = newAuthorization()
  asked.begin(undefined, facts, '', undefined)
  for (const { rules, shadow, allowed, denied, shadowAllowed, shadowDenied } of filters) {
    if (shadow !== undefined) count(allows(shadow, findPolicy(shadow, asked, trace)) ? shadowAllowed : shadowDenied)
    if (rules === undefined) continue
    const policy = findPolicy(rules, asked, trace)
    if (!allows(rules, policy)) {
      count(denied)
      return { verdict: 'deny', policy }
    }
    count(allowed)
    if (rules.action === 'LOG') continue
    found.verdict = 'allow'
    found.policy = policy ?? found.policy
  }
  return found
}
