import { declaredProtocol } from '../protocol.ts'
import type { Analyzer } from './analyzer.ts'

const SYSTEM_NAMESPACES = new Set(['kube-system', 'kube-public', 'kube-node-lease', 'istio-system'])

/** The name of a port tells its protocol: `http`, `grpc-api`. */
export const portNames: Analyzer = {
  name: 'port-names',
  codes: ['IST0118'],
  analyze(context) {
    for (const service of context.all('Service')) {
      const { spec } = service.body
      if (SYSTEM_NAMESPACES.has(service.metadata.namespace) || spec.type === 'ExternalName') continue
      spec.ports?.forEach((port, index) => {
        if (declaredProtocol(port) !== undefined) return
        const message = `port ${port.port} (name "${port.name ?? ''}") declares no protocol; begin its name with http, grpc, tcp, ...`
        context.report('IST0118', service, ['spec', 'ports', index], message)
      })
    }
  },
}
