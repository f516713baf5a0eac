import type { SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, append, selects } from './context.ts'

/** A workload has one Sidecar: which of two that select it counts, nobody says. */
export const sidecarSelectors: Analyzer = {
  name: 'sidecar-selectors',
  codes: ['IST0110', 'IST0111'],
  analyze(context) {
    const byNamespace = new Map<string, ConfigObject<SidecarBody>[]>()
    for (const sidecar of context.all('Sidecar')) {
      append(byNamespace, sidecar.metadata.namespace, sidecar)
    }
    for (const [namespace, sidecars] of byNamespace) {
      const plain = sidecars.filter((sidecar) => sidecar.body.spec.workloadSelector === undefined)
      if (plain.length > 1) {
        for (const sidecar of plain) {
          const message = `namespace "${namespace}" has several Sidecars without workloadSelector: ${names(plain)}`
          context.report('IST0111', sidecar, [], message)
        }
      }
      const selecting = sidecars.filter((sidecar) => sidecar.body.spec.workloadSelector !== undefined)
      reportOverlaps(selecting, namespace, context)
    }
  },
}

function reportOverlaps(
  sidecars: readonly ConfigObject<SidecarBody>[],
  namespace: string,
  context: AnalysisContext,
): void {
  const selected = sidecars.map((sidecar) => {
    const labels = sidecar.body.spec.workloadSelector?.labels ?? {}
    return { sidecar, labels, workloads: new Set(context.workloadsWith(labels, namespace)) }
  })
  for (const mine of selected) {
    const rivals = selected.filter((other) => {
      if (other === mine) return false
      // Selectors that are equal overlap whatever runs.
      if (selects(mine.labels, other.labels) && selects(other.labels, mine.labels)) return true
      return [...mine.workloads].some((workload) => other.workloads.has(workload))
    })
    if (rivals.length === 0) continue
    const message = `selects workloads that ${names(rivals.map(({ sidecar }) => sidecar))} select as well`
    context.report('IST0110', mine.sidecar, ['spec', 'workloadSelector'], message)
  }
}

function names(objects: readonly ConfigObject<unknown>[]): string {
  return objects.map((object) => object.metadata.name).join(', ')
}
