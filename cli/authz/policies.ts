import { formatRuleName } from '../../api/rule-names.ts'
import type { SecurityPlan } from '../../pilot/translate/security/plan.ts'

/** One rule that a workload is under. */
export interface AppliedRule {
  action: 'CUSTOM' | 'AUDIT' | 'DENY' | 'ALLOW'
  /** `namespace/name`. */
  policy: string
  /** From 0; null for a policy without rules, which matches nothing. */
  rule: number | null
  /** Whom a CUSTOM policy asks. */
  provider: string | null
  /** It is judged and told of, and nothing more. */
  dryRun: boolean
  file: string
  line: number
}

const ORDER = ['CUSTOM', 'AUDIT', 'DENY', 'ALLOW'] as const

/** The rules of a workload in the order in which they are asked: by action, then by the bytes of the names of what they become. */
export function appliedRules(security: SecurityPlan | undefined): AppliedRule[] {
  const rows = (security?.authorizationPolicies ?? []).flatMap(
    ({ namespace, name, spec, isDryRun, origin, ruleOrigins }) => {
      const action = spec.action ?? 'ALLOW'
      const places =
        ruleOrigins.length === 0 ? [{ rule: null, origin }] : ruleOrigins.map((o, rule) => ({ rule, origin: o }))
      return places.map(({ rule, origin: { file, line } }) => ({
        key: `${spec.provider?.name ?? ''} ${formatRuleName({ namespace, policy: name, rule: rule ?? 0 })}`,
        row: {
          action,
          policy: `${namespace}/${name}`,
          rule,
          provider: action === 'CUSTOM' ? (spec.provider?.name ?? '') : null,
          dryRun: isDryRun && (action === 'ALLOW' || action === 'DENY'),
          file,
          line,
        },
      }))
    },
  )
  rows.sort((a, b) => {
    const byAction = ORDER.indexOf(a.row.action) - ORDER.indexOf(b.row.action)
    return byAction || Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))
  })
  return rows.map(({ row }) => row)
}
