import type { DestinationRuleBody } from '../../crds/kinds/destination-rule.ts'
import type { VirtualServiceBody } from '../../crds/kinds/virtual-service.ts'
import { isExportedTo, MESH_GATEWAY, resolveGateway, resolveHost } from '../hosts.ts'
import type { ConfigObject } from '../object.ts'
import type { Analyzer } from './analyzer.ts'
import { type AnalysisContext, append } from './context.ts'
import { destinationsOf } from './destinations.ts'

/** What a VirtualService refers to must exist: hosts, subsets, gateways, delegates. */
export const references: Analyzer = {
  name: 'references',
  codes: ['IST0101'],
  analyze(context) {
    const gateways = new Set(context.all('Gateway').map(nameOf))
    const virtualServices = new Set(context.all('VirtualService').map(nameOf))
    const rules = new Map<string, ConfigObject<DestinationRuleBody>[]>()
    for (const rule of context.all('DestinationRule')) {
      append(rules, resolveHost(rule.body.spec.host, rule.metadata.namespace, context.domain), rule)
    }
    for (const virtualService of context.all('VirtualService')) {
      checkGateways(virtualService, gateways, context)
      checkDelegates(virtualService, virtualServices, context)
      checkDestinations(virtualService, rules, context)
    }
  },
}

function nameOf({ metadata }: ConfigObject<unknown>): string {
  return `${metadata.namespace}/${metadata.name}`
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

function checkDelegates(virtualService: VirtualService, known: ReadonlySet<string>, context: AnalysisContext): void {
  virtualService.body.spec.http?.forEach(({ delegate }, index) => {
    if (delegate === undefined) return
    const namespace = delegate.namespace === undefined || delegate.namespace === '' ? undefined : delegate.namespace
    const owner = namespace ?? virtualService.metadata.namespace
    if (known.has(`${owner}/${delegate.name}`)) return
    const path = ['spec', 'http', index, 'delegate']
    context.report('IST0101', virtualService, path, `VirtualService "${owner}/${delegate.name}" does not exist`)
  })
}

/** DestinationRules by the full name of their host, wildcards among them. */
type Rules = ReadonlyMap<string, readonly ConfigObject<DestinationRuleBody>[]>

function checkDestinations(virtualService: VirtualService, rules: Rules, context: AnalysisContext): void {
  const { namespace } = virtualService.metadata
  for (const { destination, path } of destinationsOf(virtualService.body.spec)) {
    const host = resolveHost(destination.host, namespace, context.domain)
    if (context.findHosts(host, namespace).length === 0) {
      const advice = destination.host.includes('.') ? '; a host outside the mesh needs a ServiceEntry' : ''
      context.report('IST0101', virtualService, [...path, 'host'], `no service has the host "${host}"${advice}`)
    } else if (destination.subset !== undefined && destination.subset !== '') {
      if (hasSubset(host, destination.subset, namespace, rules)) continue
      const message = `no DestinationRule for "${host}" has a subset "${destination.subset}"`
      context.report('IST0101', virtualService, [...path, 'subset'], message)
    }
  }
}

function hasSubset(host: string, subset: string, namespace: string, rules: Rules): boolean {
  return patternsOf(host)
    .flatMap((pattern) => rules.get(pattern) ?? [])
    .some(({ body: { spec }, metadata }) => {
      const named = spec.subsets?.some(({ name }) => name === subset) === true
      return named && isExportedTo(spec.exportTo, metadata.namespace, namespace)
    })
}

/** A host and every wildcard that holds it. */
function patternsOf(host: string): string[] {
  const labels = host.split('.')
  return [host, ...labels.slice(1).map((_label, index) => `*.${labels.slice(index + 1).join('.')}`), '*']
}
