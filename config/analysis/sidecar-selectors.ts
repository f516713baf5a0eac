import type { SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, selects } from './context.ts'

/** A workload has one Sidecar: which of two that select it counts, nobody says. */
export const sidecarSelectors: Analyzer = {
  name: 'sidecar-selectors',
  codes: ['IST0110', 'IST0111'],
  analyze(context) {
    const byNamespace = new Map<string, ConfigObject<SidecarBody>[]>()
    for (const sidecar of context.all('Sidecar')) {
      const list = byNamespace.get(sidecar.metadata.namespace)
      if (list === undefined) byNamespace.set(sidecar.metadata.namespace, [sidecar])
      else list.push(sidecar)
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
  const workloads = context.workloads.filter((workload) => workload.namespace === namespace)
  const labelsOf = (sidecar: ConfigObject<SidecarBody>) => sidecar.body.spec.workloadSelector?.labels ?? {}
  for (const sidecar of sidecars) {
    const mine = labelsOf(sidecar)
    const rivals = sidecars.filter((other) => {
      if (other === sidecar) return false
      const theirs = labelsOf(other)
      // Selectors that are equal overlap whatever runs.
      if (selects(mine, theirs) && selects(theirs, mine)) return true
      return workloads.some(({ labels }) => selects(mine, labels) && selects(theirs, labels))
    })
    if (rivals.length === 0) continue
    const message = `selects workloads that ${names(rivals)} select as well`
    context.report('IST0110', sidecar, ['spec', 'workloadSelector'], message)
  }
}

function names(objects: readonly ConfigObject<unknown>[]): string {
  return objects.map((object) => object.metadata.name).join(', ')
}
