import type { ServiceBody, ServicePort } from '../../crds/kinds/service.ts'
import type { ConfigObject } from '../object.ts'
import { declaredProtocol } from '../protocol.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, selects } from './context.ts'

interface Use {
  service: ConfigObject<ServiceBody>
  port: ServicePort
}

/** Services that share a port of a workload must agree on what is spoken there. */
export const deploymentPorts: Analyzer = {
  name: 'deployment-ports',
  codes: ['IST0116', 'IST0137'],
  analyze(context) {
    for (const deployment of context.podMakers()) {
      const labels = deployment.body.spec.template.metadata?.labels ?? {}
      for (const [target, uses] of usesByTarget(deployment.metadata.namespace, labels, context)) {
        const services = [...new Set(uses.map((use) => use.service.metadata.name))]
        if (services.length < 2) continue
        const who = `services ${services.join(', ')} share port ${target} of this workload`
        const protocols = new Set(uses.map((use) => declaredProtocol(use.port) ?? 'undeclared'))
        if (protocols.size > 1) {
          context.report('IST0116', deployment, [], `${who} with different protocols: ${[...protocols].join(', ')}`)
        }
        const numbers = new Set(uses.map((use) => use.port.port))
        if (numbers.size > 1) {
          context.report('IST0137', deployment, [], `${who} by different ports: ${[...numbers].join(', ')}`)
        }
      }
    }
  },
}

function usesByTarget(namespace: string, labels: Record<string, string>, context: AnalysisContext): Map<string, Use[]> {
  const byTarget = new Map<string, Use[]>()
  for (const service of context.all('Service')) {
    const { selector, ports = [] } = service.body.spec
    if (service.metadata.namespace !== namespace || selector === undefined) continue
    if (Object.keys(selector).length === 0 || !selects(selector, labels)) continue
    for (const port of ports) {
      const target = String(port.targetPort ?? port.port)
      const uses = byTarget.get(target)
      if (uses === undefined) byTarget.set(target, [{ service, port }])
      else uses.push({ service, port })
    }
  }
  return byTarget
}
