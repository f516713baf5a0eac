import type { ServiceBody, ServicePort } from '../../crds/kinds/service.ts'
import type { ConfigObject } from '../object.ts'
import { declaredProtocol } from '../protocol.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, append } from './context.ts'

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
  for (const service of context.servicesFor(labels, namespace)) {
    for (const port of service.body.spec.ports ?? []) {
      append(byTarget, String(port.targetPort ?? port.port), { service, port })
    }
  }
  return byTarget
}
