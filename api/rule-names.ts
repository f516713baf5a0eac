/** One rule of an AuthorizationPolicy, by the number that it has in the policy (from 0). */
export interface RuleRef {
  readonly namespace: string
  readonly policy: string
  readonly rule: number
}

/**
 * The key of `filter_metadata` under which the pilot writes into a listener where its authorization rules are written: by the name
 * of the RBAC policy, a text as in `api/origin.ts`. RBAC policies have no metadata of their own, and Envoy passes over this.
 */
export const RULES_METADATA_KEY = 'lateen.rules'

/** Istio's name of the RBAC policy made of a rule. `prefix` stands before it, as in those of external authorizers. */
export function formatRuleName({ namespace, policy, rule }: RuleRef, prefix = ''): string {
  return `${prefix}ns[${namespace}]-policy[${policy}]-rule[${rule}]`
}

/** undefined for what formatRuleName() has not written. */
export function parseRuleName(name: string): RuleRef | undefined {
  const [, namespace, policy, rule] = /ns\[([^\]]*)\]-policy\[([^\]]*)\]-rule\[(\d+)\]$/.exec(name) ?? []
  if (namespace === undefined || policy === undefined) return undefined
  return { namespace, policy, rule: Number(rule) }
}
