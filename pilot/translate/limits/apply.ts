import { fromJson } from '@bufbuild/protobuf'
import { type Filter, FilterSchema } from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import {
  type Route,
  RouteSchema,
  type VirtualHost,
  VirtualHostSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema,
} from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { formatOrigin } from '../../../api/origin.ts'
import { REGISTRY } from '../../../api/registry.ts'
import type { PatchPlace } from '../../../config/envoy-filter/patch.ts'
import type { ChainPlan } from '../listener/plan.ts'
import { meetsHost, type PlacedPatch, type RoutePatch } from './plan.ts'

/** The filters of a connection manager with those that limit calls among them, one after the other (Istio's order). */
export function withHttpLimits(filters: readonly HttpFilter[], patches: readonly PlacedPatch[] = []): HttpFilter[] {
  let list = [...filters]
  for (const patch of patches) {
    if (patch.kind !== 'http_filter') continue
    list = inserted(list, fromJson(HttpFilterSchema, patch.value, { registry: REGISTRY }), patch.place)
  }
  return list
}

/** The same of the filters of a filter chain. */
export function withNetworkLimits(filters: readonly Filter[], patches: readonly PlacedPatch[] = []): Filter[] {
  let list = [...filters]
  for (const patch of patches) {
    if (patch.kind !== 'network_filter') continue
    list = inserted(list, fromJson(FilterSchema, patch.value, { registry: REGISTRY }), patch.place)
  }
  return list
}

/** What stands beside a filter that is not there is left out, as in Istio. */
function inserted<F extends { readonly name: string }>(list: readonly F[], filter: F, { side, of }: PatchPlace): F[] {
  if (of === undefined) return [filter, ...list]
  const at = list.findIndex(({ name }) => name === of)
  if (at < 0) return [...list]
  return list.toSpliced(side === 'before' ? at : at + 1, 0, filter)
}

/** Adds to a virtual host and its routes what is for them. The table is known to be the right one. */
export function applyToVirtualHost(host: VirtualHost, patches: readonly PlacedPatch[] = []): VirtualHost {
  for (const patch of patches) {
    if (patch.kind !== 'virtual_host' && patch.kind !== 'http_route') continue
    if (!meetsHost(patch, host.name, host.domains)) continue
    if (patch.kind === 'virtual_host') {
      const { rateLimits, typedPerFilterConfig } = fromJson(VirtualHostSchema, patch.value, { registry: REGISTRY })
      host.rateLimits.push(...rateLimits)
      Object.assign(host.typedPerFilterConfig, typedPerFilterConfig)
    } else {
      for (const route of host.routes) if (meetsRoute(patch, route)) applyToRoute(route, patch)
    }
  }
  return host
}

function applyToRoute(route: Route, patch: RoutePatch): void {
  const { action, typedPerFilterConfig } = fromJson(RouteSchema, patch.value, { registry: REGISTRY })
  Object.assign(route.typedPerFilterConfig, typedPerFilterConfig)
  if (action.case === 'route' && route.action.case === 'route') {
    route.action.value.rateLimits.push(...action.value.rateLimits)
  }
}

const ACTION_CASE = { ROUTE: 'route', REDIRECT: 'redirect', DIRECT_RESPONSE: 'directResponse' } as const

function meetsRoute({ route: name, action }: RoutePatch, route: Route): boolean {
  return (name === undefined || name === route.name) && (action === 'ANY' || ACTION_CASE[action] === route.action.case)
}

/** Where the limits of these chains are written, by the name of their filters. */
export function limitOrigins(chains: readonly (ChainPlan | undefined)[]): Record<string, string> {
  const origins: Record<string, string> = {}
  for (const chain of chains) {
    for (const patch of chain?.limits ?? []) {
      if (patch.kind === 'http_filter' || patch.kind === 'network_filter')
        origins[patch.name] = formatOrigin(patch.origin)
    }
  }
  return origins
}
