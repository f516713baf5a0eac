import type { DestinationRuleBody } from '../../crds/kinds/destination-rule.ts'
import { isWildcard, resolveHost } from '../hosts.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, type KnownHost, selects } from './context.ts'

/** A DestinationRule should be about a known host, and each of its subsets about some workload of it. */
export const destinationRuleHosts: Analyzer = {
  name: 'destination-rule-hosts',
  codes: ['IST0173', 'IST0174'],
  analyze(context) {
    for (const rule of context.all('DestinationRule')) {
      const { namespace } = rule.metadata
      const host = resolveHost(rule.body.spec.host, namespace, context.domain)
      const known = isWildcard(host) ? context.hostsWithin(host, namespace) : context.findHosts(host, namespace)
      if (known.length === 0) {
        context.report('IST0174', rule, ['spec', 'host'], `no service has the host "${host}"`)
      } else if (!isWildcard(host)) checkSubsets(rule, known, context)
    }
  },
}

function checkSubsets(
  rule: ConfigObject<DestinationRuleBody>,
  known: readonly KnownHost[],
  context: AnalysisContext,
): void {
  const workloads = known.map((host) => workloadLabels(host, context))
  // As long as one of them is not known to have workloads, nobody can say that a subset is empty.
  if (workloads.some((list) => list === undefined || list.length === 0)) return
  rule.body.spec.subsets?.forEach((subset, index) => {
    const labels = subset.labels ?? {}
    if (workloads.some((list) => list?.some((candidate) => selects(labels, candidate)))) return
    const text = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
    const message = `subset "${subset.name}" is empty: no workload of the service has the labels ${text.join(',')}`
    context.report('IST0173', rule, ['spec', 'subsets', index], message)
  })
}

/** The labels of everything that serves the host; undefined when that is not known. */
function workloadLabels(known: KnownHost, context: AnalysisContext): readonly Record<string, string>[] | undefined {
  const { selector, namespace } = known
  if (selector === undefined) return known.endpointLabels
  const entries = context
    .all('WorkloadEntry')
    .filter((entry) => entry.metadata.namespace === namespace)
    .map((entry) => ({ ...entry.metadata.labels, ...entry.body.spec.labels }))
    .filter((labels) => selects(selector, labels))
  return [...context.workloadsWith(selector, namespace).map(({ labels }) => labels), ...entries]
}
