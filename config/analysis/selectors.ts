import type { Analyzer } from './analyzer.ts'
import { reachOf, selectorOf } from './authorization/policies.ts'

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
    for (const policy of [...context.all('AuthorizationPolicy'), ...context.all('RequestAuthentication')]) {
      const labels = selectorOf(policy)
      const namespace = reachOf(policy, context.rootNamespace)
      if (Object.keys(labels).length === 0 || context.workloadsWith(labels, namespace).length > 0) continue
      const where = namespace === undefined ? '' : ` of namespace "${namespace}"`
      context.report('IST0127', policy, ['spec', 'selector'], `no workload${where} has the labels ${show(labels)}`)
    }
    const limiting = [
      ...context
        .all('EnvoyFilter')
        .map((object) => [object, 'workloadSelector', object.body.spec.workloadSelector?.labels] as const),
      ...context
        .all('RateLimit')
        .map((object) => [object, 'selector', object.body.spec.selector?.matchLabels] as const),
      ...context
        .all('Telemetry')
        .map((object) => [object, 'selector', object.body.spec.selector?.matchLabels] as const),
    ]
    for (const [object, field, labels = {}] of limiting) {
      const { namespace } = object.metadata
      const reach = namespace === context.rootNamespace ? undefined : namespace
      if (Object.keys(labels).length === 0 || context.workloadsWith(labels, reach).length > 0) continue
      const where = reach === undefined ? '' : ` of namespace "${reach}"`
      context.report('IST0127', object, ['spec', field], `no workload${where} has the labels ${show(labels)}`)
    }
  },
}

function show(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
