import type { Policy } from '../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import type { Origin } from '../../../api/origin.ts'
import { refuse } from '../../plan/plan-error.ts'
import type { Asked } from './asked.ts'
import { compilePermission } from './permission.ts'
import { combine, holds, type Predicate, refusalOf } from './predicate.ts'
import { compilePrincipal } from './principal.ts'

/** Where the rules behind RBAC policies are written, by the policies' names; of listeners from a Lateen pilot. */
export type RuleOrigins = ReadonlyMap<string, Origin>

/** envoy.config.rbac.v3.Policy: one of its permissions and one of its principals must hold. */
export interface PolicyPlan {
  readonly name: string
  readonly permissions: Predicate
  readonly principals: Predicate
  readonly origin: Origin | undefined
}

export function compilePolicy(
  name: string,
  policy: Policy,
  origins: RuleOrigins | undefined,
  where: string,
): PolicyPlan {
  if (policy.condition !== undefined) refuse(`${where}.condition`, 'CEL is not supported')
  if (policy.checkedCondition !== undefined) refuse(`${where}.checked_condition`, 'CEL is not supported')
  if (policy.permissions.length === 0) refuse(`${where}.permissions`, 'at least one is needed')
  if (policy.principals.length === 0) refuse(`${where}.principals`, 'at least one is needed')
  const permissions = policy.permissions.map((one, i) => compilePermission(one, `${where}.permissions[${i}]`))
  const principals = policy.principals.map((one, i) => compilePrincipal(one, `${where}.principals[${i}]`))
  return {
    name,
    permissions: combine('or', permissions),
    principals: combine('or', principals),
    origin: origins?.get(name),
  }
}

export function policyMatches({ permissions, principals }: PolicyPlan, asked: Asked): boolean {
  return holds(permissions, asked) && holds(principals, asked)
}

/** Why it does not match, in words; undefined when it does. */
export function policyRefusal({ permissions, principals }: PolicyPlan, asked: Asked): string | undefined {
  return refusalOf(permissions, asked) ?? refusalOf(principals, asked)
}
