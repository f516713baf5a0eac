import type { Clause, RuleClauses } from './lists.ts'
import { allCovered } from './values.ts'

/** Whether every call that meets rule `b` meets `a`. May say no where the truth is yes, never the other way round. */
export function ruleCovers(a: RuleClauses, b: RuleClauses): boolean {
  return (
    b.sources.every((narrow) => a.sources.some((wide) => clausesCover(wide, narrow))) &&
    b.operations.every((narrow) => a.operations.some((wide) => clausesCover(wide, narrow))) &&
    clausesCover(a.conditions, b.conditions)
  )
}

function clausesCover(wide: readonly Clause[], narrow: readonly Clause[]): boolean {
  return wide.every((a) => narrow.some((b) => a.attribute === b.attribute && clauseCovers(a, b)))
}

function clauseCovers(a: Clause, b: Clause): boolean {
  if (a.values !== undefined && (b.values === undefined || !allCovered(b.values, a.values, a.kind))) return false
  if (a.notValues === undefined) return true
  return b.notValues !== undefined && allCovered(a.notValues, b.notValues, a.kind)
}
