import type { SidecarBody } from '../../crds/kinds/sidecar.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { append } from './context.ts'
import { names, reportOverlaps } from './overlaps.ts'

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
      const labelsOf = (sidecar: ConfigObject<SidecarBody>) => sidecar.body.spec.workloadSelector?.labels ?? {}
      reportOverlaps(selecting, labelsOf, 'IST0110', ['spec', 'workloadSelector'], context)
    }
  },
}
