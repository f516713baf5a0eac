import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { RBACSchema } from '../../../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { refuse } from '../../../plan/plan-error.ts'
import { compileEngine, type RbacEngine } from '../../rbac/engine.ts'
import type { RuleOrigins } from '../../rbac/policy.ts'

export const NETWORK_RBAC = RBACSchema.typeName

export interface NetworkRbacPlan {
  readonly kind: 'rbac'
  readonly rules: RbacEngine | undefined
  /** Judged and told of, and nothing more. */
  readonly shadow: NetworkShadowRules | undefined
  /** Names of the counters. */
  readonly allowed: string
  readonly denied: string
}

export interface NetworkShadowRules {
  readonly engine: RbacEngine
  readonly allowed: string
  readonly denied: string
  /** Keys of dynamic metadata. */
  readonly policyKey: string
  readonly resultKey: string
}

/**
 * envoy.extensions.filters.network.rbac.v3.RBAC. It is judged once, whatever `enforcement_type` says: nothing that rules ask of a
 * connection changes while it lasts.
 */
export function compileNetworkRbac(any: Any, path: string, origins: RuleOrigins | undefined): NetworkRbacPlan {
  const config = anyUnpack(any, RBACSchema)
  if (config === undefined) return refuse(path, 'is not an RBAC')
  if (config.matcher !== undefined) refuse(`${path}.matcher`, 'matcher trees are not supported')
  if (config.shadowMatcher !== undefined) refuse(`${path}.shadow_matcher`, 'matcher trees are not supported')
  const { rules, shadowRules, statPrefix, shadowRulesStatPrefix } = config
  return {
    kind: 'rbac',
    rules: rules && compileEngine(rules, origins, `${path}.rules`),
    shadow: shadowRules && {
      engine: compileEngine(shadowRules, origins, `${path}.shadow_rules`),
      allowed: `${statPrefix}rbac.${shadowRulesStatPrefix}shadow_allowed`,
      denied: `${statPrefix}rbac.${shadowRulesStatPrefix}shadow_denied`,
      policyKey: `${shadowRulesStatPrefix}shadow_effective_policy_id`,
      resultKey: `${shadowRulesStatPrefix}shadow_engine_result`,
    },
    allowed: `${statPrefix}rbac.allowed`,
    denied: `${statPrefix}rbac.denied`,
  }
}
