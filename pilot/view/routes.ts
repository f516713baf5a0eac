import { type VirtualHost, VirtualHostSchema } from '../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import type { Memo } from '../memo.ts'
import { destinationHosts } from '../mesh/destinations.ts'
import type { Generation } from '../mesh/generation.ts'
import type { NodeScope } from '../mesh/scope.ts'
import type { VirtualService } from '../mesh/virtual-service.ts'
import type { Service } from '../registry/service.ts'
import { encoded, encodedBytes } from '../resource.ts'
import { applyToVirtualHost } from '../translate/limits/apply.ts'
import { limitPatches, meetsTable, routePatches } from '../translate/limits/plan.ts'
import {
  encodeRouteConfiguration,
  hasConsistentHash,
  nobodyBound,
  type Otherwise,
  otherServers,
  type RoutePlan,
  unknownHosts,
  type VirtualHostPlan,
  virtualHost,
} from '../translate/route.ts'
import type { EncodedResource } from '../xds/view.ts'

/** One route table with its virtual hosts, encoded one by one. */
export interface RouteTable {
  readonly configuration: EncodedResource
  /** Named `<table>/<virtual host>`. */
  readonly virtualHosts: readonly EncodedResource[]
  /** By their own name and by each of their domains. */
  virtualHost(nameOrDomain: string): EncodedResource | undefined
}

/** A plan and a scope are the same objects for as long as no service and no rule changes. */
export function routeTable(plan: RoutePlan, scope: NodeScope, generation: Generation, memo: Memo): RouteTable {
  const { options, destinationRules } = generation
  return memo.get('table of plan', [plan, scope, options, destinationRules], () =>
    makeTable(plan, scope, generation, memo),
  )
}

/** A change of one rule makes anew only the virtual hosts that it rules, and puts the table together again. */
function makeTable(plan: RoutePlan, scope: NodeScope, generation: Generation, memo: Memo): RouteTable {
  const withoutRoutes: string[] = []
  const made: { resource: EncodedResource; names: readonly string[] }[] = []
  for (const host of plan.virtualHosts) {
    const resource = virtualHostResource(plan.name, host, scope, generation, memo)
    if (resource !== undefined) made.push({ resource, names: [host.name, ...host.domains] })
    else withoutRoutes.push(...host.domains)
  }
  made.push(...otherwise(plan, made.length === 0, withoutRoutes, memo))
  const virtualHosts = memo.list(
    'virtual hosts',
    made.map(({ resource }) => resource),
  )
  return memo.get('route table', [plan.name, plan.ignorePort, virtualHosts], () => {
    const bytes = encodeRouteConfiguration(
      plan.name,
      plan.ignorePort,
      virtualHosts.map((host) => host.bytes),
    )
    const byName = new Map<string, EncodedResource>()
    for (const { resource, names } of made) for (const name of names) if (!byName.has(name)) byName.set(name, resource)
    return {
      configuration: encodedBytes(TYPE_URL.route, plan.name, bytes, memo),
      virtualHosts,
      virtualHost: (name) => byName.get(name),
    }
  })
}

function virtualHostResource(
  table: string,
  plan: VirtualHostPlan,
  scope: NodeScope,
  { options, destinationRules }: Generation,
  memo: Memo,
): EncodedResource | undefined {
  const client = { namespace: scope.namespace, labels: scope.labels }
  const serviceOf = (host: string) => scope.services.byHost.get(host)
  const ruleOf = (service: Service) => destinationRules.find(scope, service)
  // Of the rules only those matter here that say what is hashed.
  const hashing = (service: Service | undefined) => {
    const rule = service && ruleOf(service)
    return hasConsistentHash(rule) ? rule : undefined
  }
  const inputs = [
    table,
    plan.name,
    plan.domains.join(' '),
    plan.redirectToTls,
    JSON.stringify(plan.origin),
    plan.service?.service,
    plan.service?.port,
    hashing(plan.service?.service),
    options,
    ...scope.limits,
    // Nothing of the client but its names is asked for where no rule is.
    plan.rules.length === 0 ? '' : JSON.stringify(client),
    ...plan.rules.flatMap(({ virtualService, gateways }) => [
      virtualService,
      gateways.join(' '),
      ...destinations(virtualService, memo).map(serviceOf),
      ...destinations(virtualService, memo).map((host) => hashing(serviceOf(host))),
    ]),
  ]
  return memo.get('virtual host', inputs, () => {
    const message = virtualHost(plan, { options, client, serviceOf, ruleOf })
    if (message === undefined) return undefined
    const patches = routePatches(limitPatches(scope.limits), scope.type === 'router' ? 'router' : 'sidecar')
    const ours = patches.filter((patch) => meetsTable(patch, table, plan.port))
    return hostResource(table, applyToVirtualHost(message, ours), memo)
  })
}

function destinations(virtualService: VirtualService, memo: Memo): readonly string[] {
  return memo.get('destination hosts', [virtualService], () => [...destinationHosts([virtualService])])
}

/** `withoutRoutes`: domains of virtual hosts that there would be nothing in. */
function otherwise(
  { name, otherwise: rest }: RoutePlan,
  isEmpty: boolean,
  withoutRoutes: readonly string[],
  memo: Memo,
) {
  return fallbacks(rest, isEmpty, withoutRoutes).map((message) => {
    const inputs = [name, message.name, message.domains.join(' ')]
    const resource = memo.get('fallback virtual host', inputs, () => hostResource(name, message, memo))
    return { resource, names: [message.name, ...message.domains] }
  })
}

function fallbacks(rest: Otherwise, isEmpty: boolean, withoutRoutes: readonly string[]): readonly VirtualHost[] {
  switch (rest.kind) {
    case 'unknownHosts':
      return [unknownHosts(rest.policy)]
    case 'nobodyBound':
      return isEmpty ? [nobodyBound(rest.port)] : []
    case 'otherServers':
      return otherServers({ ...rest, unbound: [...rest.unbound, ...withoutRoutes] })
  }
}

function hostResource(table: string, message: VirtualHost, memo: Memo): EncodedResource {
  return encoded(TYPE_URL.virtualHost, `${table}/${message.name}`, VirtualHostSchema, message, memo)
}
