import { create } from '@bufbuild/protobuf'
import {
  type Policy,
  PolicySchema,
  type RBAC,
  RBAC_Action,
  RBACSchema,
} from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import { formatRuleName } from '../../../../api/rule-names.ts'
import type { AuthorizationPolicySpec } from '../../../../crds/kinds/authorization-policy.ts'
import type { PolicyPlan } from '../plan.ts'
import type { RuleContext } from './condition.ts'
import type { TrustDomains } from './identity.ts'
import { rulePolicy } from './rule.ts'
import { permissions, principals } from './terms.ts'

export type AuthorizationPlan = PolicyPlan<AuthorizationPolicySpec>

export interface RulesOptions {
  readonly isTcp: boolean
  readonly mesh: TrustDomains
  /** Before the names of the policies. */
  readonly namePrefix?: string
}

const ACTIONS = {
  ALLOW: RBAC_Action.ALLOW,
  DENY: RBAC_Action.DENY,
  AUDIT: RBAC_Action.LOG,
  // Who matches is asked about elsewhere: for that alone it counts as denied, by shadow rules.
  CUSTOM: RBAC_Action.DENY,
} as const

/** All rules of these policies, which are of one action. A policy that nothing meets stands too: others are not what it closed. */
export function rbacOf(
  plans: readonly AuthorizationPlan[],
  action: RuleContext['action'],
  options: RulesOptions,
): RBAC {
  const policies: Record<string, Policy> = {}
  for (const { namespace, name, spec } of plans) {
    const { rules = [] } = spec
    const nameOf = (rule: number) => formatRuleName({ namespace, policy: name, rule }, options.namePrefix)
    if (rules.length === 0) policies[nameOf(0)] = NOTHING
    rules.forEach((rule, i) => {
      const context = { action, isTcp: options.isTcp, namespace, options: options.mesh }
      policies[nameOf(i)] = rulePolicy(rule, context) ?? NOTHING
    })
  }
  return create(RBACSchema, { action: ACTIONS[action], policies })
}

const NOTHING = create(PolicySchema, {
  permissions: [permissions.not(permissions.any)],
  principals: [principals.not(principals.any)],
})

/** Whoever calls is denied, for a reason that the policy's name says. */
export function denyAll(name: string): RBAC {
  const everything = create(PolicySchema, { permissions: [permissions.any], principals: [principals.any] })
  return create(RBACSchema, { action: RBAC_Action.DENY, policies: { [name]: everything } })
}
