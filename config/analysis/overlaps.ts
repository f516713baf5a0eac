import type { Code } from '../codes.ts'
import type { ConfigObject, FieldPath } from '../object.ts'
import { type AnalysisContext, type Bodies, selects } from './context.ts'

type Labels = Readonly<Record<string, string>>

/** Reports the objects of one namespace that select workloads which others of them select as well. */
export function reportOverlaps<Body extends Bodies[keyof Bodies]>(
  objects: readonly ConfigObject<Body>[],
  labelsOf: (object: ConfigObject<Body>) => Labels,
  code: Code,
  path: FieldPath,
  context: AnalysisContext,
): void {
  const selected = objects.map((object) => {
    const labels = labelsOf(object)
    return { object, labels, workloads: new Set(context.workloadsWith(labels, object.metadata.namespace)) }
  })
  for (const mine of selected) {
    const rivals = selected.filter((other) => {
      if (other === mine) return false
      // Selectors that are equal overlap whatever runs.
      if (selects(mine.labels, other.labels) && selects(other.labels, mine.labels)) return true
      return [...mine.workloads].some((workload) => other.workloads.has(workload))
    })
    if (rivals.length === 0) continue
    context.report(
      code,
      mine.object,
      path,
      `selects workloads that ${names(rivals.map(({ object }) => object))} select as well`,
    )
  }
}

export function names(objects: readonly ConfigObject<unknown>[]): string {
  return objects.map((object) => object.metadata.name).join(', ')
}
