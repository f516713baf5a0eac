import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  RBACPerRouteSchema,
  type RBAC as RBACProto,
  RBACSchema,
} from '../../../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { refuse } from '../../../plan/plan-error.ts'
import { compileEngine, type RbacEngine } from '../../rbac/engine.ts'
import type { RuleOrigins } from '../../rbac/policy.ts'

export interface RbacConfig {
  /** undefined: nothing is enforced. */
  readonly rules: EnforcedRules | undefined
  /** Judged and told of, and nothing more. */
  readonly shadow: ShadowRules | undefined
}

export interface EnforcedRules {
  readonly engine: RbacEngine
  /** Names of counters, below those of the connection manager. */
  readonly allowed: string
  readonly denied: string
}

export interface ShadowRules extends EnforcedRules {
  /** Keys of dynamic metadata. */
  readonly policyKey: string
  readonly resultKey: string
}

/** envoy.extensions.filters.http.rbac.v3.RBAC. */
export function compileRbac(any: Any, path: string, origins?: RuleOrigins): RbacConfig {
  const config = anyUnpack(any, RBACSchema)
  return config === undefined ? refuse(path, 'is not an RBAC') : compile(config, path, origins)
}

/** RBACPerRoute: without rules of its own a route has none. */
export function compileRbacPerRoute(any: Any, path: string): RbacConfig {
  const config = anyUnpack(any, RBACPerRouteSchema)
  if (config === undefined) return refuse(path, 'is not an RBACPerRoute')
  return config.rbac === undefined ? { rules: undefined, shadow: undefined } : compile(config.rbac, `${path}.rbac`)
}

function compile(config: RBACProto, path: string, origins?: RuleOrigins): RbacConfig {
  if (config.matcher !== undefined) refuse(`${path}.matcher`, 'matcher trees are not supported')
  if (config.shadowMatcher !== undefined) refuse(`${path}.shadow_matcher`, 'matcher trees are not supported')
  const { rules, shadowRules, rulesStatPrefix, shadowRulesStatPrefix } = config
  return {
    rules: rules && {
      engine: compileEngine(rules, origins, `${path}.rules`),
      allowed: `rbac.${rulesStatPrefix}allowed`,
      denied: `rbac.${rulesStatPrefix}denied`,
    },
    shadow: shadowRules && {
      engine: compileEngine(shadowRules, origins, `${path}.shadow_rules`),
      allowed: `rbac.${shadowRulesStatPrefix}shadow_allowed`,
      denied: `rbac.${shadowRulesStatPrefix}shadow_denied`,
      policyKey: `${shadowRulesStatPrefix}shadow_effective_policy_id`,
      resultKey: `${shadowRulesStatPrefix}shadow_engine_result`,
    },
  }
}
