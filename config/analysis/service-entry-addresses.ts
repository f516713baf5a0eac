import type { Analyzer } from './analyzer.ts'

/** Without an address a TCP port of a ServiceEntry can only be told by its number. */
export const serviceEntryAddresses: Analyzer = {
  name: 'service-entry-addresses',
  codes: ['IST0134'],
  analyze(context) {
    for (const entry of context.all('ServiceEntry')) {
      const { ports = [], addresses = [] } = entry.body.spec
      if (addresses.length > 0) continue
      ports.forEach((port, index) => {
        if ((port.protocol ?? 'TCP').toUpperCase() !== 'TCP') return
        const message = `TCP port ${port.number} needs spec.addresses, or it takes the calls of every host to that port`
        context.report('IST0134', entry, ['spec', 'ports', index], message)
      })
    }
  },
}
