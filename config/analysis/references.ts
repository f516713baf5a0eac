import type { DestinationRuleBody } from '../../crds/kinds/destination-rule.ts'
import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import { hostWithin, isExportedTo, MESH_GATEWAY, resolveGateway, resolveHost } from '../hosts.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import type { AnalysisContext } from './context.ts'
import { destinationsOf } from './destinations.ts'

/** What a VirtualService refers to must exist: hosts, subsets, gateways, delegates. */
export const references: Analyzer = {
  name: 'references',
  codes: ['IST0101'],
  analyze(context) {
    const gateways = new Set(context.all('Gateway').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))
    for (const virtualService of context.all('VirtualService')) {
      checkGateways(virtualService, gateways, context)
      checkDelegates(virtualService, context)
      checkDestinations(virtualService, context)
    }
  },
}

type VirtualService = ConfigObject<VirtualServiceBody>

function checkGateways(virtualService: VirtualService, known: ReadonlySet<string>, context: AnalysisContext): void {
  const { namespace } = virtualService.metadata
  const { spec } = virtualService.body
  const check = (names: readonly string[] | undefined, path: readonly (string | number)[]) => {
    names?.forEach((name, index) => {
      if (name === MESH_GATEWAY || known.has(resolveGateway(name, namespace))) return
      context.report('IST0101', virtualService, [...path, index], `gateway "${name}" does not exist`)
    })
  }
  check(spec.gateways, ['spec', 'gateways'])
  for (const kind of ['http', 'tls', 'tcp'] as const) {
    spec[kind]?.forEach((route, index) => {
      route.match?.forEach((match, at) => {
        check(match.gateways, ['spec', kind, index, 'match', at, 'gateways'])
      })
    })
  }
}

function checkDelegates(virtualService: VirtualService, context: AnalysisContext): void {
  virtualService.body.spec.http?.forEach(({ delegate }, index) => {
    if (delegate === undefined) return
    const namespace = delegate.namespace === undefined || delegate.namespace === '' ? undefined : delegate.namespace
    const owner = namespace ?? virtualService.metadata.namespace
    const found = context
      .all('VirtualService')
      .some(({ metadata }) => metadata.name === delegate.name && metadata.namespace === owner)
    if (found) return
    const path = ['spec', 'http', index, 'delegate']
    context.report('IST0101', virtualService, path, `VirtualService "${owner}/${delegate.name}" does not exist`)
  })
}

function checkDestinations(virtualService: VirtualService, context: AnalysisContext): void {
  const { namespace } = virtualService.metadata
  for (const { destination, path } of destinationsOf(virtualService.body.spec)) {
    const host = resolveHost(destination.host, namespace, context.domain)
    if (context.findHosts(host, namespace).length === 0) {
      const advice = destination.host.includes('.') ? '; a host outside the mesh needs a ServiceEntry' : ''
      context.report('IST0101', virtualService, [...path, 'host'], `no service has the host "${host}"${advice}`)
    } else if (destination.subset !== undefined && destination.subset !== '') {
      if (hasSubset(host, destination.subset, namespace, context)) continue
      const message = `no DestinationRule for "${host}" has a subset "${destination.subset}"`
      context.report('IST0101', virtualService, [...path, 'subset'], message)
    }
  }
}

function hasSubset(host: string, subset: string, namespace: string, context: AnalysisContext): boolean {
  const covers = (rule: ConfigObject<DestinationRuleBody>) => {
    const { spec } = rule.body
    return (
      spec.subsets?.some(({ name }) => name === subset) === true &&
      hostWithin(host, resolveHost(spec.host, rule.metadata.namespace, context.domain)) &&
      isExportedTo(spec.exportTo, rule.metadata.namespace, namespace)
    )
  }
  return context.all('DestinationRule').some(covers)
}
