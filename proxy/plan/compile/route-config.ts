import {
  type Decorator,
  type Route,
  type VirtualHost,
  VirtualHostSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { type RouteConfiguration, RouteConfigurationSchema } from '../../../api/gen/envoy/config/route/v3/route_pb.js'
import type { Origin } from '../../../api/origin.ts'
import { PROXY_METADATA_KEY, REPEATS_IDEMPOTENT_KEY } from '../../../api/proxy-metadata.ts'
import { compileFilterConfigs } from '../../filters/http/builtin.ts'
import type {
  DecoratorPlan,
  DomainIndex,
  RouteActionPlan,
  RouteConfigPlan,
  RoutePlan,
  VirtualHostPlan,
} from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { RouteIndex } from '../route-index.ts'
import { wireText } from '../wire-text.ts'
import { originOf } from './common.ts'
import { notHonoured } from './honoured.ts'
import { compileMutations } from './mutations.ts'
import { compileRateLimits } from './rate-limits.ts'
import { tlsRedirects } from './require-tls.ts'
import { compilingResource } from './resource-name.ts'
import { compileHedge, compileRetry } from './retry.ts'
import { compileAction } from './route-action.ts'
import { compileRouteMatch } from './route-match.ts'

/** envoy.config.route.v3.RouteConfiguration. Throws a PlanError that names the field. */
export function compileRouteConfig(config: RouteConfiguration, path = ''): RouteConfigPlan {
  return compilingResource(`route ${config.name}`, () => compileRoutes(config, path))
}

function compileRoutes(config: RouteConfiguration, path: string): RouteConfigPlan {
  const at = (field: string) => (path === '' ? field : `${path}.${field}`)
  const virtualHosts = config.virtualHosts.map((host, i) => compileVirtualHost(host, at(`virtual_hosts[${i}]`)))
  return {
    name: config.name,
    virtualHosts,
    usesVhds: config.vhds !== undefined,
    domains: indexDomains(virtualHosts, at('virtual_hosts')),
    ignorePortInHost: config.ignorePortInHostMatching,
    mostSpecificMutationsWin: config.mostSpecificHeaderMutationsWins,
    mutations: compileMutations(config, path),
    filterConfigs: compileFilterConfigs(config.typedPerFilterConfig, path),
    ignored: path === '' ? notHonoured(RouteConfigurationSchema, config) : [],
  }
}

export function compileVirtualHost(host: VirtualHost, path: string): VirtualHostPlan {
  return compilingResource(`virtual host ${host.name}`, () => compileHost(host, path))
}

function compileHost(host: VirtualHost, path: string): VirtualHostPlan {
  if (host.matcher !== undefined) refuse(`${path}.matcher`, 'matcher trees are not supported')
  if (host.domains.length === 0) refuse(`${path}.domains`, 'at least one domain is needed')
  const origin = originOf(host.metadata)
  const own = host.routes.map((route, i) => compileRoute(route, `${path}.routes[${i}]`, origin))
  const routes = [...tlsRedirects(host.requireTls, origin), ...own]
  return {
    name: host.name,
    domains: host.domains,
    routes,
    routeIndex: RouteIndex.of(routes),
    mutations: compileMutations(host, path),
    retry: host.retryPolicy === undefined ? undefined : compileRetry(host.retryPolicy, `${path}.retry_policy`),
    hedges: host.hedgePolicy !== undefined && compileHedge(host.hedgePolicy, `${path}.hedge_policy`),
    rateLimits: compileRateLimits(host.rateLimits, `${path}.rate_limits`),
    includeAttemptCount: host.includeRequestAttemptCount,
    includeAttemptCountInResponse: host.includeAttemptCountInResponse,
    includeIsTimeoutRetry: host.includeIsTimeoutRetryHeader,
    filterConfigs: compileFilterConfigs(host.typedPerFilterConfig, path),
    ignored: path === '' ? notHonoured(VirtualHostSchema, host) : [],
    origin,
  }
}

/** What the pilot says of a route's retries that Envoy has no words for. */
function withOwnRetries(action: RouteActionPlan, { metadata }: Route): RouteActionPlan {
  if (action.kind !== 'forward' || action.retry === undefined) return action
  const repeatsIdempotent = metadata?.filterMetadata[PROXY_METADATA_KEY]?.[REPEATS_IDEMPOTENT_KEY] === true
  return repeatsIdempotent ? { ...action, retry: { ...action.retry, repeatsIdempotent } } : action
}

function compileDecorator({ operation, propagate }: Decorator, path: string): DecoratorPlan {
  if (operation === '') return refuse(`${path}.operation`, 'is needed')
  return { operation: wireText(operation, `${path}.operation`), propagate: propagate ?? true }
}

function compileRoute(route: Route, path: string, hostOrigin: Origin | undefined): RoutePlan {
  return {
    name: route.name,
    match: compileRouteMatch(route.match, `${path}.match`),
    action: withOwnRetries(compileAction(route.action, path), route),
    mutations: compileMutations(route, path),
    filterConfigs: compileFilterConfigs(route.typedPerFilterConfig, path),
    decorator: route.decorator && compileDecorator(route.decorator, `${path}.decorator`),
    origin: originOf(route.metadata) ?? hostOrigin,
  }
}

/**
 * Envoy's search order: exact, longest suffix, longest prefix, `*`. The same domain twice refuses the resource; hosts
 * that come one by one cannot be refused together, and there the first keeps it.
 */
export function indexDomains(
  hosts: readonly VirtualHostPlan[],
  path: string,
  onTwice: 'refuse' | 'keep first' = 'refuse',
): DomainIndex {
  const exact = new Map<string, VirtualHostPlan>()
  const suffixes = new Map<string, VirtualHostPlan>()
  const prefixes = new Map<string, VirtualHostPlan>()
  let any: VirtualHostPlan | undefined
  hosts.forEach((host, i) => {
    for (const written of host.domains) {
      const domain = written.toLowerCase()
      const twice = () => {
        if (onTwice === 'refuse') refuse(`${path}[${i}].domains`, `domain ${JSON.stringify(written)} is already taken`)
      }
      if (domain === '*') {
        if (any !== undefined) twice()
        any ??= host
        continue
      }
      const [map, key] = domain.startsWith('*')
        ? ([suffixes, domain.slice(1)] as const)
        : domain.endsWith('*')
          ? ([prefixes, domain.slice(0, -1)] as const)
          : ([exact, domain] as const)
      if (map.has(key)) twice()
      else map.set(key, host)
    }
  })
  const byLength = (map: Map<string, VirtualHostPlan>) => [...map].sort((a, b) => b[0].length - a[0].length)
  return { exact, suffixes: byLength(suffixes), prefixes: byLength(prefixes), any }
}
