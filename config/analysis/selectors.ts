import type { Analyzer } from './analyzer.ts'

/** Istio's rootNamespace. */
const ROOT_NAMESPACE = 'istio-system'

/** Selectors should select something, where it is known what runs. */
export const selectors: Analyzer = {
  name: 'selectors',
  codes: ['IST0127'],
  analyze(context) {
    if (context.workloads.length === 0) return
    for (const gateway of context.all('Gateway')) {
      const { selector = {} } = gateway.body.spec
      if (context.workloadsWith(selector).length > 0) continue
      context.report('IST0127', gateway, ['spec', 'selector'], `no workload has the labels ${show(selector)}`)
    }
    for (const sidecar of context.all('Sidecar')) {
      const { labels } = sidecar.body.spec.workloadSelector ?? {}
      if (labels === undefined || Object.keys(labels).length === 0) continue
      const { namespace } = sidecar.metadata
      if (context.workloadsWith(labels, namespace).length > 0) continue
      const message = `no workload of namespace "${namespace}" has the labels ${show(labels)}`
      context.report('IST0127', sidecar, ['spec', 'workloadSelector'], message)
    }
    for (const policy of context.all('RequestAuthentication')) {
      const { matchLabels = {} } = policy.body.spec.selector ?? {}
      if (Object.keys(matchLabels).length === 0) continue
      const { namespace } = policy.metadata
      // A policy of the mesh is for the workloads of all namespaces.
      if (context.workloadsWith(matchLabels, namespace === ROOT_NAMESPACE ? undefined : namespace).length > 0) continue
      context.report('IST0127', policy, ['spec', 'selector'], `no workload has the labels ${show(matchLabels)}`)
    }
  },
}

function show(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
