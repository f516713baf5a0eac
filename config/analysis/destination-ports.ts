import { resolveHost } from '../hosts.ts'
import type { Analyzer } from './analyzer.ts'
import { destinationsOf } from './destinations.ts'

/** A destination whose service has several ports must say which. */
export const destinationPorts: Analyzer = {
  name: 'destination-ports',
  codes: ['IST0112'],
  analyze(context) {
    for (const virtualService of context.all('VirtualService')) {
      const { namespace } = virtualService.metadata
      for (const { destination, path } of destinationsOf(virtualService.body.spec)) {
        if (destination.port?.number !== undefined) continue
        const host = resolveHost(destination.host, namespace, context.domain)
        const ports = context.findHosts(host, namespace)[0]?.ports ?? []
        if (ports.length < 2) continue
        const list = ports.map((port) => port.number).join(', ')
        context.report(
          'IST0112',
          virtualService,
          path,
          `"${host}" has several ports (${list}); choose one with port.number`,
        )
      }
    }
  },
}
