import type { RouteDestination } from '../../../crds/kinds/virtual-service.ts'
import type { VirtualService } from '../../mesh/virtual-service.ts'
import type { Service } from '../../registry/service.ts'
import { isRelevant, type RouteContext } from '../route/context.ts'
import { destinationCluster } from '../route/destination.ts'
import type { ChainMatch, ChainPlan, TcpTarget } from './plan.ts'

export type L4Context = Pick<RouteContext, 'client' | 'gateways' | 'port' | 'serviceOf'> & {
  /** The idle time that the rule of a destination's service allows. */
  idleTimeoutOf(service: Service | undefined, port: number): string | undefined
  /** Whether that rule hashes connections by their client's address. */
  hashesSourceIp(service: Service | undefined, port: number, subset: string): boolean
}

/**
 * The filter chains of a VirtualService's `tcp` rules, up to the first that takes everything. `limits` hold for each
 * of them besides what the rule asks.
 */
export function tcpChains(rules: VirtualService['tcp'], limits: ChainMatch, context: L4Context): ChainPlan[] {
  const chains: ChainPlan[] = []
  for (const rule of rules) {
    const target = tcpTargetOf(rule.route, context)
    const matches = rule.matches.length === 0 ? [undefined] : rule.matches
    for (const entry of matches) {
      if (entry !== undefined && !isRelevant(entry.match, context)) continue
      const subnets = entry?.match.destinationSubnets ?? []
      const match = subnets.length > 0 ? { ...limits, destinations: subnets } : limits
      chains.push({ name: '', match, target, origin: entry?.origin ?? rule.origin })
      if (subnets.length === 0) return chains
    }
  }
  return chains
}

/** The filter chains of `tls` rules, by the names that clients ask for. `serves` picks those served here. */
export function tlsChains(
  rules: VirtualService['tls'],
  serves: (sniHost: string) => boolean,
  context: L4Context,
): ChainPlan[] {
  return rules.flatMap((rule) => rule.matches.flatMap((entry) => tlsChain(rule, entry, serves, context)))
}

function tlsChain(
  rule: VirtualService['tls'][number],
  entry: VirtualService['tls'][number]['matches'][number],
  serves: (sniHost: string) => boolean,
  context: L4Context,
): ChainPlan[] {
  if (!isRelevant(entry.match, context)) return []
  const serverNames = entry.match.sniHosts.map((host) => host.toLowerCase()).filter(serves)
  if (serverNames.length === 0) return []
  const subnets = entry.match.destinationSubnets ?? []
  const match = { serverNames, ...(subnets.length > 0 && { destinations: subnets }) }
  return [{ name: '', match, target: tcpTargetOf(rule.route, context), origin: entry.origin }]
}

function tcpTargetOf(route: readonly RouteDestination[], context: L4Context): TcpTarget {
  const weighed = route.length === 1 ? route : route.filter(({ weight }) => weight !== undefined && weight > 0)
  const clusters = weighed.map(({ destination, weight }) => ({
    name: destinationCluster(destination, context.serviceOf(destination.host), context.port),
    weight: weight === undefined || weight === 0 ? 1 : weight,
  }))
  const first = weighed[0]?.destination
  const port = first?.port?.number ?? context.port
  const service = first && context.serviceOf(first.host)
  return {
    kind: 'tcp',
    statPrefix: clusters[0]?.name ?? '',
    clusters,
    idleTimeout: context.idleTimeoutOf(service, port),
    // There is one policy for all of its clusters.
    hashesSourceIp: context.hashesSourceIp(service, port, first?.subset ?? ''),
  }
}

/**
 * Chains that could match the same connection make a proxy refuse the listener. What several claim stays with the
 * first; a chain with nothing left drops out.
 */
export function distinctChains(chains: readonly ChainPlan[]): ChainPlan[] {
  const taken = new Set<string>()
  return chains.flatMap((chain) => {
    const { port, destinations = [''], serverNames = [''] } = chain.match
    const key = (destination: string, name: string) => `${port ?? ''} ${destination} ${name}`
    const names = serverNames.filter((name) => !destinations.some((d) => taken.has(key(d, name))))
    for (const name of names) for (const destination of destinations) taken.add(key(destination, name))
    if (names.length === 0) return []
    return [names.length === serverNames.length ? chain : { ...chain, match: { ...chain.match, serverNames: names } }]
  })
}
