import { connectionFacts } from '../../../decide/connection-facts.ts'
import { answer, countIn, type Decision } from '../../../decide/decision.ts'
import { setMetadata } from '../../../decide/metadata.ts'
import type { Trace } from '../../../decide/trace.ts'
import { Asked } from '../../rbac/asked.ts'
import { allows, findPolicy } from '../../rbac/engine.ts'
import type { HttpFilter } from '../filter.ts'
import { compileRbac, compileRbacPerRoute, type EnforcedRules, type RbacConfig, type ShadowRules } from './config.ts'

/**
 * Who may call what (envoy.filters.http.rbac): the first policy by name that matches decides, with the action of the filter.
 * Shadow rules are judged first, and leave what they found in dynamic metadata for filters that come after.
 */
export const rbac: HttpFilter<RbacConfig> = {
  name: 'envoy.filters.http.rbac',
  typeName: 'envoy.extensions.filters.http.rbac.v3.RBAC',
  routeTypeName: 'envoy.extensions.filters.http.rbac.v3.RBACPerRoute',
  compile: compileRbac,
  compileForRoute: compileRbacPerRoute,

  judge({ rules, shadow }, { head, facts }, decision, _answer, _ofChain, trace) {
    asked.begin(head, facts, decision.clientAddress, decision.metadata)
    if (shadow !== undefined) judgeShadow(shadow, decision, trace)
    return rules !== undefined && judge(rules, decision, trace)
  },
}

/** One for all calls of the thread. */
const asked = new Asked(connectionFacts({}))

function judgeShadow(shadow: ShadowRules, decision: Decision, trace: Trace | undefined): void {
  const { engine, allowed, denied, policyKey, resultKey } = shadow
  const policy = findPolicy(engine, asked, trace)
  const isAllowed = allows(engine, policy)
  countIn(decision, isAllowed ? allowed : denied)
  const result = isAllowed ? 'allowed' : 'denied'
  const found = { [resultKey]: result, ...(policy !== undefined && { [policyKey]: policy.name }) }
  setMetadata(decision, rbac.name, found)
}

/** True when the call is answered here. */
function judge({ engine, allowed, denied }: EnforcedRules, decision: Decision, trace: Trace | undefined): boolean {
  const policy = findPolicy(engine, asked, trace)
  if (engine.action === 'LOG') setMetadata(decision, 'envoy.common', { access_log_hint: policy !== undefined })
  else decision.authorization.policy = policy ?? decision.authorization.policy
  if (allows(engine, policy)) {
    countIn(decision, allowed)
    if (engine.action !== 'LOG') decision.authorization.verdict = 'allow'
    return false
  }
  countIn(decision, denied)
  decision.authorization.verdict = 'deny'
  decision.authorization.policy = policy
  answer(decision, 403, `rbac_access_denied_matched_policy[${policy?.name.replace(/\s/g, '_') ?? 'none'}]`, '')
  decision.body = DENIED
  return true
}

const DENIED = Buffer.from('RBAC: access denied')
