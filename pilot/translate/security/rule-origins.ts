import type { JsonObject } from '@bufbuild/protobuf'
import { formatOrigin } from '../../../api/origin.ts'
import { formatRuleName } from '../../../api/rule-names.ts'
import type { SecurityPlan } from './plan.ts'

/** Where each rule is written, by the name of the RBAC policy that is made of it (`api/rule-names.ts`). */
export function ruleOrigins({ authorizationPolicies }: SecurityPlan): JsonObject {
  const origins: JsonObject = {}
  for (const { namespace, name, spec, origin, ruleOrigins: rules } of authorizationPolicies) {
    const prefix = spec.action === 'CUSTOM' ? `istio-ext-authz-${spec.provider?.name ?? ''}-` : ''
    const places = rules.length === 0 ? [origin] : rules
    places.forEach((place, rule) => {
      origins[formatRuleName({ namespace, policy: name, rule }, prefix)] = formatOrigin(place)
    })
  }
  return origins
}
