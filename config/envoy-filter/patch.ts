import { type DescMessage, fromJson, type JsonObject, type JsonValue, type MessageShape } from '@bufbuild/protobuf'
import { FilterSchema } from '../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import { type Route, RouteSchema, VirtualHostSchema } from '../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { LocalRateLimitSchema as HttpLimitSchema } from '../../api/gen/envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit_pb.js'
import { HttpFilterSchema } from '../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { LocalRateLimitSchema as NetworkLimitSchema } from '../../api/gen/envoy/extensions/filters/network/local_ratelimit/v3/local_rate_limit_pb.js'
import { REGISTRY } from '../../api/registry.ts'
import type { EnvoyConfigObjectPatch, EnvoyFilterSpec } from '../../crds/kinds/envoy-filter.ts'
import { errorText } from '../../lib/errors.ts'
import type { FieldPath } from '../object.ts'
import { isPlainObject } from '../parse/objects.ts'
import { httpLimitProblem, networkLimitProblem, rateLimitsProblem } from './check.ts'

/*
 * What of an EnvoyFilter is made: the common forms of local rate limits. Everything else is named and left out, as a whole, so
 * that no half of a patch is ever in force.
 */

export type PatchContext = 'ANY' | 'SIDECAR_INBOUND' | 'SIDECAR_OUTBOUND' | 'GATEWAY'

/** Where a filter is put: `of` is the name of another; without one it comes before all or after all. */
export interface PatchPlace {
  readonly side: 'before' | 'after'
  readonly of: string | undefined
}

/** A change to what a proxy is given. Plain data: the same content makes the same resources. */
export type LimitPatch = { readonly context: PatchContext; readonly path: FieldPath } & (
  | {
      readonly kind: 'http_filter' | 'network_filter'
      readonly listener: string | undefined
      readonly port: number | undefined
      readonly place: PatchPlace
      /** An HttpFilter, or a Filter of a filter chain, as JSON. */
      readonly value: JsonValue
      /** The `stat_prefix` of the filter. */
      readonly name: string
    }
  | {
      readonly kind: 'virtual_host' | 'http_route'
      readonly table: string | undefined
      readonly port: number | undefined
      readonly virtualHost: string | undefined
      readonly domain: string | undefined
      readonly route: string | undefined
      readonly action: 'ANY' | 'ROUTE' | 'REDIRECT' | 'DIRECT_RESPONSE'
      /** A VirtualHost or a Route as JSON, with what is added to it. */
      readonly value: JsonValue
    }
)

export interface PatchProblem {
  readonly path: FieldPath
  readonly message: string
  /** The value is no such configuration at all. Otherwise it is only none of ours. */
  readonly isWrong: boolean
}

const TYPED_STRUCT = /^type\.googleapis\.com\/(?:udpa\.type\.v1|xds\.type\.v3)\.TypedStruct$/
const HTTP_LIMIT = 'type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit'
const NETWORK_LIMIT = 'type.googleapis.com/envoy.extensions.filters.network.local_ratelimit.v3.LocalRateLimit'
const HTTP_MANAGER = 'envoy.filters.network.http_connection_manager'

/** Thrown within this file: why a patch is not made. */
class NotApplied extends Error {
  readonly at: FieldPath
  readonly isWrong: boolean

  constructor(at: FieldPath, message: string, isWrong = false) {
    super(message)
    this.at = at
    this.isWrong = isWrong
  }
}

/** The patches of a spec that are made, in order, and why others are not. */
export function readPatches({ configPatches = [] }: EnvoyFilterSpec): {
  patches: LimitPatch[]
  problems: PatchProblem[]
} {
  const patches: LimitPatch[] = []
  const problems: PatchProblem[] = []
  configPatches.forEach((patch, i) => {
    const path = ['spec', 'configPatches', i]
    try {
      patches.push(readPatch(patch, path))
    } catch (thrown) {
      if (!(thrown instanceof NotApplied)) throw thrown
      problems.push({ path: [...path, ...thrown.at], message: thrown.message, isWrong: thrown.isWrong })
    }
  })
  return { patches, problems }
}

function readPatch(patch: EnvoyConfigObjectPatch, path: FieldPath): LimitPatch {
  const { match = {}, applyTo = 'INVALID' } = patch
  const { context = 'ANY' } = match
  if (context === 'WAYPOINT') throw new NotApplied(['match', 'context'], 'waypoints are not supported')
  if (match.proxy !== undefined) throw new NotApplied(['match', 'proxy'], 'proxies are not told apart by this')
  if (patch.patch?.filterClass !== undefined && patch.patch.filterClass !== 'UNSPECIFIED') {
    throw new NotApplied(['patch', 'filterClass'], 'is not honoured')
  }
  switch (applyTo) {
    case 'HTTP_FILTER':
      return { context, path, kind: 'http_filter', ...filterFields(patch, HTTP_LIMIT) }
    case 'NETWORK_FILTER':
      return { context, path, kind: 'network_filter', ...filterFields(patch, NETWORK_LIMIT) }
    case 'VIRTUAL_HOST':
      return { context, path, kind: 'virtual_host', ...routeFields(patch, 'virtual_host') }
    case 'HTTP_ROUTE':
      return { context, path, kind: 'http_route', ...routeFields(patch, 'http_route') }
    default:
      throw new NotApplied(['applyTo'], `${applyTo} is not supported; only local rate limits are`)
  }
}

// === filters ===

function filterFields({ match, patch }: EnvoyConfigObjectPatch, type: string) {
  const at: FieldPath = ['patch', 'value']
  const value = withTypes(patch?.value, at)
  const config = value.typed_config ?? value.typedConfig
  if (!isPlainObject(config) || config['@type'] !== type) {
    throw new NotApplied(at, `is no ${type.slice(type.lastIndexOf('/') + 1)}; only local rate limits are supported`)
  }
  const isHttp = type === HTTP_LIMIT
  parsed(isHttp ? HttpFilterSchema : FilterSchema, value, at)
  const problem = isHttp
    ? httpLimitProblem(parsed(HttpLimitSchema, withoutType(config), at))
    : networkLimitProblem(parsed(NetworkLimitSchema, withoutType(config), at))
  if (problem !== undefined) throw new NotApplied(at, problem, true)
  const listener = fieldsOf(match?.listener, ['match', 'listener'], ['portNumber', 'name', 'filterChain'])
  const chain = fieldsOf(listener.filterChain, ['match', 'listener', 'filterChain'], ['filter'])
  const filterAt: FieldPath = ['match', 'listener', 'filterChain', 'filter']
  const filter = fieldsOf(chain.filter, filterAt, ['name', 'subFilter'])
  const subFilter = fieldsOf(filter.subFilter, [...filterAt, 'subFilter'], ['name'])
  const name = textOf(filter.name, [...filterAt, 'name'])
  const subName = textOf(subFilter.name, [...filterAt, 'subFilter', 'name'])
  if (isHttp && name !== undefined && name !== HTTP_MANAGER) {
    throw new NotApplied([...filterAt, 'name'], `must be ${HTTP_MANAGER}`, true)
  }
  return {
    listener: textOf(listener.name, ['match', 'listener', 'name']),
    port: numberOf(listener.portNumber, ['match', 'listener', 'portNumber']),
    place: placeOf(patch?.operation, isHttp ? subName : name),
    value: value as JsonObject,
    name: String(config.stat_prefix ?? config.statPrefix ?? ''),
  }
}

function placeOf(operation: string | undefined, of: string | undefined): PatchPlace {
  switch (operation) {
    case 'INSERT_FIRST':
      return { side: 'before', of: undefined }
    case 'INSERT_BEFORE':
      return { side: 'before', of }
    case 'INSERT_AFTER':
      // After all others would be after the router, or after what takes the connection.
      if (of !== undefined) return { side: 'after', of }
  }
  throw new NotApplied(['patch', 'operation'], `${operation ?? 'none'} is not supported here`)
}

// === routes ===

const ROUTE_ACTIONS = ['ANY', 'ROUTE', 'REDIRECT', 'DIRECT_RESPONSE'] as const

function routeFields({ match, patch }: EnvoyConfigObjectPatch, kind: 'virtual_host' | 'http_route') {
  if (patch?.operation !== 'MERGE') {
    throw new NotApplied(['patch', 'operation'], `${patch?.operation ?? 'none'} is not supported here; MERGE is`)
  }
  const at: FieldPath = ['patch', 'value']
  const value = withTypes(patch.value, at)
  const limits =
    kind === 'virtual_host' ? value : fieldsOf(value.route, [...at, 'route'], ['rate_limits', 'rateLimits'])
  const own = kind === 'virtual_host' ? ['rate_limits', 'rateLimits'] : ['route']
  fieldsOf(value, at, [...own, 'typed_per_filter_config', 'typedPerFilterConfig'])
  const perFilter = value.typed_per_filter_config ?? value.typedPerFilterConfig
  for (const [name, config] of Object.entries(isPlainObject(perFilter) ? perFilter : {})) {
    if (!isPlainObject(config) || config['@type'] !== HTTP_LIMIT) {
      throw new NotApplied([...at, 'typed_per_filter_config', name], 'only local rate limits are supported')
    }
    const problem = httpLimitProblem(parsed(HttpLimitSchema, withoutType(config), at))
    if (problem !== undefined) throw new NotApplied([...at, 'typed_per_filter_config', name], problem, true)
  }
  if (perFilter === undefined && limits.rate_limits === undefined && limits.rateLimits === undefined) {
    throw new NotApplied(at, 'has neither rate_limits nor typed_per_filter_config')
  }
  const wrong =
    kind === 'virtual_host'
      ? rateLimitsProblem(parsed(VirtualHostSchema, value, at).rateLimits)
      : routeLimitsProblem(parsed(RouteSchema, value, at))
  if (wrong !== undefined) throw new NotApplied(at, wrong, true)
  const where: FieldPath = ['match', 'routeConfiguration']
  const table = fieldsOf(match?.routeConfiguration, where, ['name', 'portNumber', 'vhost'])
  const host = fieldsOf(table.vhost, [...where, 'vhost'], ['name', 'domainName', 'route'])
  const route = fieldsOf(host.route, [...where, 'vhost', 'route'], ['name', 'action'])
  const action = textOf(route.action, [...where, 'vhost', 'route', 'action']) ?? 'ANY'
  const known = ROUTE_ACTIONS.find((one) => one === action)
  if (known === undefined) throw new NotApplied([...where, 'vhost', 'route', 'action'], `${action} is none`, true)
  return {
    table: textOf(table.name, [...where, 'name']),
    port: numberOf(table.portNumber, [...where, 'portNumber']),
    virtualHost: textOf(host.name, [...where, 'vhost', 'name']),
    domain: textOf(host.domainName, [...where, 'vhost', 'domainName']),
    route: textOf(route.name, [...where, 'vhost', 'route', 'name']),
    action: known,
    value: value as JsonObject,
  }
}

// === values ===

/** The same with every TypedStruct as the message that it stands for. */
function withTypes(value: unknown, path: FieldPath): Record<string, unknown> {
  if (!isPlainObject(value)) throw new NotApplied(path, 'is needed', true)
  return unwrapped(value) as Record<string, unknown>
}

function unwrapped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapped)
  if (!isPlainObject(value)) return value
  const type = value['@type']
  if (typeof type === 'string' && TYPED_STRUCT.test(type)) {
    const inner = isPlainObject(value.value) ? value.value : {}
    return { '@type': value.type_url ?? value.typeUrl, ...(unwrapped(inner) as object) }
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, unwrapped(inner)]))
}

function withoutType({ '@type': _type, ...fields }: Record<string, unknown>): Record<string, unknown> {
  return fields
}

function routeLimitsProblem({ action }: Route): string | undefined {
  return action.case === 'route' ? rateLimitsProblem(action.value.rateLimits) : undefined
}

function parsed<D extends DescMessage>(schema: D, value: Record<string, unknown>, path: FieldPath): MessageShape<D> {
  try {
    return fromJson(schema, value as JsonObject, { registry: REGISTRY })
  } catch (thrown) {
    throw new NotApplied(path, errorText(thrown), true)
  }
}

/** An object that says nothing but these fields: by any other, less would be meant than is patched. */
function fieldsOf(value: unknown, path: FieldPath, names: readonly string[]): Record<string, unknown> {
  if (value === undefined) return {}
  if (!isPlainObject(value)) throw new NotApplied(path, 'must be an object', true)
  for (const name of Object.keys(value)) {
    if (!names.includes(name))
      throw new NotApplied([...path, name], 'is not supported, so that the patch is not applied')
  }
  return value
}

function textOf(value: unknown, path: FieldPath): string | undefined {
  if (value !== undefined && typeof value !== 'string') throw new NotApplied(path, 'must be a string', true)
  return value === '' ? undefined : value
}

function numberOf(value: unknown, path: FieldPath): number | undefined {
  if (value !== undefined && typeof value !== 'number') throw new NotApplied(path, 'must be a number', true)
  return value === 0 ? undefined : value
}
