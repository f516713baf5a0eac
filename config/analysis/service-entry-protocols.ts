import type { ServiceEntryBody } from '../../crds/kinds/service-entry.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { append } from './context.ts'

interface Claim {
  entry: ConfigObject<ServiceEntryBody>
  index: number
  protocol: string
}

/** ServiceEntries that share a host must agree on the protocol of each of its ports. */
export const serviceEntryProtocols: Analyzer = {
  name: 'service-entry-protocols',
  codes: ['IST0177'],
  analyze(context) {
    const claims = new Map<string, Claim[]>()
    for (const entry of context.all('ServiceEntry')) {
      entry.body.spec.ports?.forEach((port, index) => {
        const protocol = (port.protocol ?? 'TCP').toUpperCase()
        for (const host of entry.body.spec.hosts) {
          append(claims, `${host}:${port.number}`, { entry, index, protocol })
        }
      })
    }
    for (const [place, list] of claims) {
      if (new Set(list.map((claim) => claim.protocol)).size < 2) continue
      const text = list.map(({ entry: { metadata }, protocol }) => `${metadata.namespace}/${metadata.name} ${protocol}`)
      for (const { entry, index } of list) {
        context.report('IST0177', entry, ['spec', 'ports', index], `${place} has several protocols: ${text.join(', ')}`)
      }
    }
  },
}
