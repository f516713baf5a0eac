import type { Any } from '@bufbuild/protobuf/wkt'
import type { HttpFilter as HttpFilterProto } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { FilterConfigs, HttpFilterPlan } from '../../plan/plan.ts'
import { refuse } from '../../plan/plan-error.ts'
import { PEER_METADATA_TYPE, STATS_TYPE } from '../../telemetry/istio/types.ts'
import type { RuleOrigins } from '../rbac/policy.ts'
import { cors } from './cors/filter.ts'
import { extAuthz } from './ext-authz/filter.ts'
import { fault } from './fault/filter.ts'
import type { HttpFilter } from './filter.ts'
import { grpcWeb } from './grpc-web/filter.ts'
import { jwtAuthn } from './jwt-authn/filter.ts'
import { localRateLimit } from './local-ratelimit/filter.ts'
import { rateLimit } from './ratelimit/filter.ts'
import { rbac } from './rbac/filter.ts'

/** Every HTTP filter that ships. The router is not in the list: it is what decide() does when the others let a call pass. */
export const BUILTIN_FILTERS: readonly HttpFilter[] = [
  cors as HttpFilter,
  extAuthz as HttpFilter,
  fault as HttpFilter,
  grpcWeb as HttpFilter,
  jwtAuthn as HttpFilter,
  localRateLimit as HttpFilter,
  rateLimit as HttpFilter,
  rbac as HttpFilter,
]

const ROUTER = 'envoy.extensions.filters.http.router.v3.Router'
/** What only looks on: observers are made of them (plan/compile/observers.ts), and nothing is judged. */
const OBSERVING: ReadonlySet<string> = new Set([STATS_TYPE, PEER_METADATA_TYPE])
const NO_CONFIGS: FilterConfigs = new Map()

const typeNameOf = (any: Any) => any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1)

/** The chain of one connection manager, without its closing router. */
export function compileHttpFilters(
  filters: readonly HttpFilterProto[],
  path: string,
  origins?: RuleOrigins,
): HttpFilterPlan[] {
  const plans: HttpFilterPlan[] = []
  let routed = false
  for (const [i, filter] of filters.entries()) {
    const at = `${path}[${i}]`
    if (routed) refuse(at, `${filter.name} comes after the router`)
    if (filter.configType.case !== 'typedConfig') refuse(`${at}.typed_config`, 'is needed')
    const any = filter.configType.value
    if (typeNameOf(any) === ROUTER) {
      routed = true
      continue
    }
    if (OBSERVING.has(typeNameOf(any))) continue
    const known = BUILTIN_FILTERS.find((f) => f.typeName === typeNameOf(any))
    if (known === undefined) {
      if (!filter.isOptional) refuse(at, `HTTP filter ${filter.name} (${any.typeUrl}) is not supported`)
    } else if (!filter.disabled)
      plans.push({ filter: known, name: filter.name, config: known.compile(any, `${at}.typed_config`, origins) })
  }
  if (!routed) refuse(path, 'the chain must end with envoy.filters.http.router')
  return plans
}

/** `typed_per_filter_config` of a route, virtual host, route configuration or weighted cluster. */
export function compileFilterConfigs(configs: Readonly<Record<string, Any>>, path: string): FilterConfigs {
  const names = Object.keys(configs)
  if (names.length === 0) return NO_CONFIGS
  const compiled = new Map<string, unknown>()
  for (const name of names) {
    const any = configs[name] as Any
    const known = BUILTIN_FILTERS.find((f) => f.name === name || f.routeTypeName === typeNameOf(any))
    const at = `${path}.typed_per_filter_config[${name}]`
    if (known === undefined) refuse(at, `HTTP filter ${name} is not supported`)
    else compiled.set(name, known.compileForRoute(any, at))
  }
  return compiled
}
