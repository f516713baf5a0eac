import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { type Metadata, MetadataSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type Route,
  type RouteAction,
  RouteActionSchema,
  RouteSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { CorsPolicySchema } from '../../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { HTTPFaultSchema } from '../../../api/gen/envoy/extensions/filters/http/fault/v3/fault_pb.js'
import { formatClusterName } from '../../../api/names.ts'
import type { Origin } from '../../../api/origin.ts'
import { PROXY_METADATA_KEY, REPEATS_IDEMPOTENT_KEY } from '../../../api/proxy-metadata.ts'
import type { HTTPMatchRequest, HTTPRoute } from '../../../crds/kinds/virtual-service.ts'
import type { DestinationRule } from '../../mesh/destination-rule.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import type { HttpRule, VirtualService } from '../../mesh/virtual-service.ts'
import type { Service, ServicePort } from '../../registry/service.ts'
import { any, duration, metadata } from '../messages.ts'
import { withDecorator } from '../telemetry/decorator.ts'
import { forward } from './action.ts'
import { isRelevant, type RouteContext } from './context.ts'
import { corsPolicy } from './cors.ts'
import { httpFault } from './fault.ts'
import { hashPolicies } from './hash-policy.ts'
import { headerMutations } from './headers.ts'
import { isCatchAll, routeMatch } from './match.ts'
import { directResponseAction, redirectAction } from './redirect.ts'
import { isOwnChoice, retryPolicy } from './retry.ts'

/** Istio's name for routes that have none of their own. */
const DEFAULT_ROUTE_NAME = 'default'
const OWN_CHOICE = { [PROXY_METADATA_KEY]: { [REPEATS_IDEMPOTENT_KEY]: true } }

export const CORS_FILTER = 'envoy.filters.http.cors'
export const FAULT_FILTER = 'envoy.filters.http.fault'

/**
 * The routes of a VirtualService in their order, one for each match of each rule. What comes after one that takes
 * everything could never be reached, and is left out.
 */
export function virtualServiceRoutes(virtualService: VirtualService, context: RouteContext): Route[] {
  const routes: Route[] = []
  for (const rule of virtualService.http) {
    const matches = rule.matches.length === 0 ? [undefined] : rule.matches
    for (const entry of matches) {
      if (entry !== undefined && !isRelevant(entry.match, context)) continue
      const route = ruleRoute(rule, entry?.match, entry?.origin ?? rule.origin, context)
      routes.push(route)
      if (route.match !== undefined && isCatchAll(route.match)) return routes
    }
  }
  return routes
}

function ruleRoute(rule: HttpRule, match: HTTPMatchRequest | undefined, origin: Origin, context: RouteContext): Route {
  const { route } = rule
  const made = create(RouteSchema, {
    name: routeName(route, match),
    match: routeMatch(match),
    metadata: routeMetadata(route, origin, context.options),
    typedPerFilterConfig: filterConfigs(route),
    ...outcome(route, match, context),
  })
  return withDecorator(made)
}

function routeMetadata(route: HTTPRoute, origin: Origin, { defaultHttpRetryPolicy }: MeshOptions): Metadata {
  const made = metadata(origin)
  const isForward = route.redirect === undefined && route.directResponse === undefined
  if (isForward && isOwnChoice(route.retries, defaultHttpRetryPolicy)) Object.assign(made.filterMetadata, OWN_CHOICE)
  return made
}

function routeName(route: HTTPRoute, match: HTTPMatchRequest | undefined): string {
  const name = route.name === undefined || route.name === '' ? DEFAULT_ROUTE_NAME : route.name
  return match?.name === undefined || match.name === '' ? name : `${name}.${match.name}`
}

function outcome(route: HTTPRoute, match: HTTPMatchRequest | undefined, context: RouteContext) {
  if (route.redirect !== undefined) {
    const value = redirectAction(route.redirect, context.port)
    return { ...headerMutations(route.headers), action: { case: 'redirect' as const, value } }
  }
  if (route.directResponse !== undefined) {
    const value = directResponseAction(route.directResponse)
    return { ...headerMutations(route.headers), action: { case: 'directResponse' as const, value } }
  }
  const { action, headers } = forward(route, match?.uri, context)
  return { ...headers, action: { case: 'route' as const, value: action } }
}

function filterConfigs(route: HTTPRoute): { [filter: string]: Any } {
  const fault = route.fault === undefined ? undefined : httpFault(route.fault)
  return {
    ...(route.corsPolicy && { [CORS_FILTER]: any(CorsPolicySchema, corsPolicy(route.corsPolicy)) }),
    ...(fault && { [FAULT_FILTER]: any(HTTPFaultSchema, fault) }),
  }
}

/** The one route of a service that no VirtualService speaks for. */
export function serviceRoute(
  service: Service,
  port: ServicePort,
  rule: DestinationRule | undefined,
  options: MeshOptions,
): Route {
  const cluster = formatClusterName({ direction: 'outbound', port: port.number, subset: '', host: service.host })
  const policies = hashPolicies([{ rule, subset: '', port: port.number }])
  return clusterRoute(DEFAULT_ROUTE_NAME, cluster, options, policies)
}

/** Everything to one cluster, without limit of time. Where it comes from its virtual host says. */
export function clusterRoute(
  name: string,
  cluster: string,
  options?: MeshOptions,
  hashPolicy: RouteAction['hashPolicy'] = [],
): Route {
  const fallback = options?.defaultHttpRetryPolicy
  const retries = fallback && retryPolicy(undefined, fallback)
  const made = create(RouteSchema, {
    name,
    ...(fallback &&
      isOwnChoice(undefined, fallback) && { metadata: create(MetadataSchema, { filterMetadata: OWN_CHOICE }) }),
    match: routeMatch(undefined),
    action: {
      case: 'route',
      value: create(RouteActionSchema, {
        clusterSpecifier: { case: 'cluster', value: cluster },
        timeout: duration(0),
        ...(retries && { retryPolicy: retries }),
        hashPolicy,
      }),
    },
  })
  return withDecorator(made)
}
