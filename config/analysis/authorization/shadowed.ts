import type { Analyzer } from '../analyzer.ts'
import { ruleCovers } from './cover.ts'
import { clausesOf, type RuleClauses } from './lists.ts'
import { actionOf, appliesWherever, isInForce, type Policy } from './policies.ts'

/** Beyond so many rules of a mesh they are not compared: each is with each. */
const MAX_RULES = 4000

interface PlacedRule {
  readonly policy: Policy
  readonly action: 'ALLOW' | 'DENY'
  readonly index: number
  readonly clauses: RuleClauses
}

/** Rules that change nothing: another of the action decides all their calls, or a DENY takes what they allow. */
export const shadowedRules: Analyzer = {
  name: 'authorization-shadowed-rules',
  codes: ['LTN0202'],
  analyze(context) {
    const rules = context.all('AuthorizationPolicy').flatMap(rulesOf)
    if (rules.length > MAX_RULES) return
    for (const [i, rule] of rules.entries()) {
      const other = rules.find((one, j) => {
        if (j === i || !appliesWherever(one.policy, rule.policy, context.rootNamespace)) return false
        if (one.action === 'ALLOW' && rule.action === 'DENY') return false
        if (!ruleCovers(one.clauses, rule.clauses)) return false
        if (one.action !== rule.action || j < i) return true
        // Of two that are the same the first stays.
        return !(
          appliesWherever(rule.policy, one.policy, context.rootNamespace) && ruleCovers(rule.clauses, one.clauses)
        )
      })
      if (other === undefined) continue
      const what = other.action === rule.action ? 'changes nothing' : 'never allows a call'
      context.report(
        'LTN0202',
        rule.policy,
        ['spec', 'rules', rule.index],
        `${what}: ${named(other)} takes all its calls`,
      )
    }
  },
}

function rulesOf(policy: Policy): PlacedRule[] {
  const action = actionOf(policy)
  if ((action !== 'ALLOW' && action !== 'DENY') || !isInForce(policy)) return []
  const { namespace } = policy.metadata
  return (policy.body.spec.rules ?? []).map((rule, index) => ({
    policy,
    action,
    index,
    clauses: clausesOf(rule, namespace),
  }))
}

function named({ policy, action, index }: PlacedRule): string {
  const { namespace, name } = policy.metadata
  const { file } = policy.origin
  return `rule ${index} of ${action} policy ${namespace}/${name} (${file}:${policy.lineOf(['spec', 'rules', index])})`
}
