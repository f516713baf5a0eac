import { declaredProtocol } from '../../protocol.ts'
import type { AnalysisContext, Workload } from '../context.ts'

/** A port on which workloads are called. */
export interface KnownPort {
  readonly number: number
  /** undefined where the Sidecar says it. */
  readonly servicePort: number | undefined
  /** undefined when nothing declares what is spoken. */
  readonly isHttp: boolean | undefined
}

/** The ports on which these workloads are called; undefined when not all of them are known. */
export function knownPorts(workloads: readonly Workload[], context: AnalysisContext): KnownPort[] | undefined {
  const ports: KnownPort[] = []
  const seen = new Set<string>()
  for (const { namespace, labels } of workloads) {
    const key = JSON.stringify([namespace, Object.entries(labels).sort()])
    if (seen.has(key)) continue
    seen.add(key)
    const sidecars = context.all('Sidecar').filter((sidecar) => sidecar.metadata.namespace === namespace)
    for (const { body } of sidecars) {
      for (const { port } of body.spec.ingress ?? []) {
        ports.push({ number: port.number, servicePort: undefined, isHttp: isHttp(port.protocol) })
      }
    }
    for (const service of context.servicesFor(labels, namespace)) {
      for (const port of service.body.spec.ports ?? []) {
        const { targetPort = port.port } = port
        const number = Number(targetPort)
        // A port by name is one of a container, which may be another in each workload.
        if (!Number.isInteger(number)) return undefined
        ports.push({ number, servicePort: port.port, isHttp: isHttp(declaredProtocol(port)) })
      }
    }
    if (context.all('ServiceEntry').some(({ body }) => body.spec.workloadSelector !== undefined)) return undefined
  }
  return ports.length === 0 ? undefined : ports
}

function isHttp(protocol: string | undefined): boolean | undefined {
  if (protocol === undefined || protocol === '') return undefined
  return /^(HTTP|HTTP2|GRPC|GRPC-WEB|HTTP_PROXY)$/i.test(protocol)
}
