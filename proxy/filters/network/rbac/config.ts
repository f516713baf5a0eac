import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { RBACSchema } from '../../../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { refuse } from '../../../plan/plan-error.ts'
import { compileEngine, type RbacEngine } from '../../rbac/engine.ts'
import type { RuleOrigins } from '../../rbac/policy.ts'

export const NETWORK_RBAC = RBACSchema.typeName

export interface NetworkRbacPlan {
  readonly rules: RbacEngine | undefined
  readonly shadow: RbacEngine | undefined
  /** Names of the counters. */
  readonly allowed: string
  readonly denied: string
  readonly shadowAllowed: string
  readonly shadowDenied: string
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
    rules: rules && compileEngine(rules, origins, `${path}.rules`),
    shadow: shadowRules && compileEngine(shadowRules, origins, `${path}.shadow_rules`),
    allowed: `${statPrefix}rbac.allowed`,
    denied: `${statPrefix}rbac.denied`,
    shadowAllowed: `${statPrefix}rbac.${shadowRulesStatPrefix}shadow_allowed`,
    shadowDenied: `${statPrefix}rbac.${shadowRulesStatPrefix}shadow_denied`,
  }
}
