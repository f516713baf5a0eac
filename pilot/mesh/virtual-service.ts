import type { Origin } from '../../api/origin.ts'
import { MESH_GATEWAY, resolveGateway, resolveHost } from '../../config/hosts.ts'
import { type ConfigObject, originAt } from '../../config/object.ts'
import type { Destination } from '../../crds/kinds/common.ts'
import type {
  HTTPMatchRequest,
  HTTPRoute,
  L4MatchAttributes,
  RouteDestination,
  TLSMatchAttributes,
  VirtualServiceBody,
} from '../../crds/kinds/virtual-service.ts'
import { parseExportTo, type Visibility } from '../registry/visibility.ts'
import type { MeshOptions } from './options.ts'

export interface HttpMatch {
  readonly match: HTTPMatchRequest
  readonly origin: Origin
}

/** One entry of `http` with every host and gateway name complete. */
export interface HttpRule {
  readonly route: HTTPRoute
  /** Empty: everything matches. */
  readonly matches: readonly HttpMatch[]
  readonly origin: Origin
}

/** One entry of `tls` or `tcp`. */
export interface L4Rule<Match> {
  readonly matches: readonly { match: Match; origin: Origin }[]
  readonly route: readonly RouteDestination[]
  readonly origin: Origin
}

/** A VirtualService with every name complete and its delegates merged in. */
export interface VirtualService {
  readonly object: ConfigObject<VirtualServiceBody>
  readonly namespace: string
  readonly hosts: readonly string[]
  /** `mesh` or `namespace/name`. */
  readonly gateways: readonly string[]
  readonly exportTo: Visibility
  readonly http: readonly HttpRule[]
  readonly tls: readonly L4Rule<TLSMatchAttributes>[]
  readonly tcp: readonly L4Rule<L4MatchAttributes>[]
}

/** Completes the names of one object. Routes with a delegate are left for mesh/delegate.ts. */
export function resolveVirtualService(object: ConfigObject<VirtualServiceBody>, options: MeshOptions): VirtualService {
  const { spec } = object.body
  const { namespace } = object.metadata
  const names: Names = {
    host: (host) => resolveHost(host.toLowerCase(), namespace, options.domain),
    gateways: (gateways) => gateways.map((name) => (name === MESH_GATEWAY ? name : resolveGateway(name, namespace))),
  }
  return {
    object,
    namespace,
    hosts: (spec.hosts ?? []).map(names.host),
    gateways: names.gateways(
      spec.gateways === undefined || spec.gateways.length === 0 ? [MESH_GATEWAY] : spec.gateways,
    ),
    exportTo: parseExportTo(spec.exportTo, namespace, options.defaultVirtualServiceExportTo),
    http: (spec.http ?? []).map((route, i) => httpRule(object, route, i, names)),
    tls: (spec.tls ?? []).map((rule, i) => l4Rule(object, rule, ['spec', 'tls', i], names)),
    tcp: (spec.tcp ?? []).map((rule, i) => l4Rule(object, rule, ['spec', 'tcp', i], names)),
  }
}

interface Names {
  host: (host: string) => string
  gateways: (gateways: readonly string[]) => string[]
}

function httpRule(object: ConfigObject<VirtualServiceBody>, route: HTTPRoute, index: number, names: Names): HttpRule {
  const path = ['spec', 'http', index]
  const resolve = (destination: Destination) => ({ ...destination, host: names.host(destination.host) })
  return {
    route: {
      ...route,
      ...(route.route && { route: route.route.map((d) => ({ ...d, destination: resolve(d.destination) })) }),
      ...(route.mirror && { mirror: resolve(route.mirror) }),
      ...(route.mirrors && { mirrors: route.mirrors.map((m) => ({ ...m, destination: resolve(m.destination) })) }),
    },
    matches: (route.match ?? []).map((match, j) => ({
      match: withGateways(match, names),
      origin: originAt(object, [...path, 'match', j]),
    })),
    origin: originAt(object, path),
  }
}

function l4Rule<Match extends { gateways?: string[] }>(
  object: ConfigObject<VirtualServiceBody>,
  rule: { match?: Match[]; route?: RouteDestination[] },
  path: readonly (string | number)[],
  names: Names,
): L4Rule<Match> {
  return {
    matches: (rule.match ?? []).map((match, j) => ({
      match: withGateways(match, names),
      origin: originAt(object, [...path, 'match', j]),
    })),
    route: (rule.route ?? []).map((r) => ({
      ...r,
      destination: { ...r.destination, host: names.host(r.destination.host) },
    })),
    origin: originAt(object, path),
  }
}

function withGateways<Match extends { gateways?: string[] }>(match: Match, names: Names): Match {
  return match.gateways === undefined ? match : { ...match, gateways: names.gateways(match.gateways) }
}
