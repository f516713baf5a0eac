import { type ConnectionFacts, connectionFacts } from '../../../decide/connection-facts.ts'
import type { AuthorizationDecision } from '../../../decide/decision.ts'
import { type DynamicMetadata, setMetadata } from '../../../decide/metadata.ts'
import type { Trace } from '../../../decide/trace.ts'
import { Asked } from '../../rbac/asked.ts'
import { allows, findPolicy } from '../../rbac/engine.ts'
import type { NetworkRbacPlan, NetworkShadowRules } from './config.ts'

const NAME = 'envoy.filters.network.rbac'

/** A connection as it is judged. */
export interface JudgedConnection extends AuthorizationDecision {
  readonly facts: ConnectionFacts
  metadata: DynamicMetadata | undefined
}

/** One for all connections of the thread. */
const asked = new Asked(connectionFacts({}))

/**
 * Who may connect (envoy.filters.network.rbac). False when the connection is denied. Shadow rules are judged first, and leave what
 * they found in dynamic metadata for filters that come after. `count` hears the counters.
 */
export function judgeByRules(
  { rules, shadow, allowed, denied }: NetworkRbacPlan,
  connection: JudgedConnection,
  count: (name: string) => void,
  trace?: Trace,
): boolean {
  asked.begin(undefined, connection.facts, '', connection.metadata)
  if (shadow !== undefined) judgeShadow(shadow, connection, count, trace)
  if (rules === undefined) return true
  const policy = findPolicy(rules, asked, trace)
  if (!allows(rules, policy)) {
    count(denied)
    connection.verdict = 'deny'
    connection.policy = policy
    return false
  }
  count(allowed)
  if (rules.action === 'LOG') return true
  connection.verdict = 'allow'
  connection.policy = policy ?? connection.policy
  return true
}

function judgeShadow(
  { engine, allowed, denied, policyKey, resultKey }: NetworkShadowRules,
  connection: JudgedConnection,
  count: (name: string) => void,
  trace: Trace | undefined,
): void {
  const policy = findPolicy(engine, asked, trace)
  const isAllowed = allows(engine, policy)
  count(isAllowed ? allowed : denied)
  const found = { [resultKey]: isAllowed ? 'allowed' : 'denied' }
  setMetadata(connection, NAME, policy === undefined ? found : { ...found, [policyKey]: policy.name })
}
