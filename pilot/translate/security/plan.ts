import type { Origin } from '../../../api/origin.ts'
import { type ConfigObject, originAt } from '../../../config/object.ts'
import { type AuthorizationPolicySpec, DRY_RUN_ANNOTATION } from '../../../crds/kinds/authorization-policy.ts'
import type { RequestAuthenticationSpec } from '../../../crds/kinds/request-authentication.ts'
import type { Keys, KeyTable } from '../../jwks/key-table.ts'
import type { WorkloadSecurity } from '../../mesh/workload-security.ts'

/** What is asked of callers before anything else is done for them. Plain data: the same content makes the same filters. */
export interface SecurityPlan {
  readonly requestAuthentications: readonly PolicyPlan<RequestAuthenticationSpec>[]
  /** The key sets of all their rules, in order. */
  readonly keys: readonly string[]
  readonly authorizationPolicies: readonly PolicyPlan<AuthorizationPolicySpec>[]
}

export interface PolicyPlan<Spec> {
  readonly namespace: string
  readonly name: string
  readonly spec: Spec
  /** It is judged and told of, and nothing more. */
  readonly isDryRun: boolean
  readonly origin: Origin
  /** Of each of its rules. */
  readonly ruleOrigins: readonly Origin[]
}

/** undefined where nothing is asked. */
export function securityPlan(security: WorkloadSecurity, keys: KeyTable): SecurityPlan | undefined {
  const { requestAuthentications, authorizationPolicies } = security
  if (requestAuthentications.length === 0 && authorizationPolicies.length === 0) return undefined
  return {
    requestAuthentications: requestAuthentications.map((policy) => policyPlan(policy, 'jwtRules')),
    keys: keysOfWorkload(security, keys).map(({ text }) => text),
    authorizationPolicies: authorizationPolicies.map((policy) => policyPlan(policy, 'rules')),
  }
}

/** The keys by which tokens to a workload are checked, one set for each rule. */
export function keysOfWorkload({ requestAuthentications }: WorkloadSecurity, keys: KeyTable): readonly Keys[] {
  return requestAuthentications.flatMap(({ body }) => (body.spec.jwtRules ?? []).map((rule) => keys.keysOf(rule)))
}

function policyPlan<Field extends string, Spec extends Readonly<Partial<Record<Field, readonly unknown[]>>>>(
  object: ConfigObject<{ spec: Spec }>,
  rulesField: Field,
): PolicyPlan<Spec> {
  const { namespace, name } = object.metadata
  const { spec } = object.body
  const ruleOrigins = (spec[rulesField] ?? []).map((_, i) => originAt(object, ['spec', rulesField, i]))
  const isDryRun = object.metadata.annotations[DRY_RUN_ANNOTATION] === 'true'
  return { namespace, name, spec, isDryRun, origin: object.origin, ruleOrigins }
}
