import { type Any, anyIs, anyUnpack } from '@bufbuild/protobuf/wkt'
import { TrafficDirection } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type { Filter, FilterChain } from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import { type Listener, ListenerSchema } from '../../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { ConnectionLimitSchema } from '../../../api/gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.js'
import { compileNetworkExtAuthz, NETWORK_EXT_AUTHZ } from '../../filters/network/ext-authz/config.ts'
import type { NetworkAuthorizationPlan } from '../../filters/network/judgement.ts'
import {
  type ConnectionRateLimitPlan,
  compileNetworkRateLimit,
  NETWORK_LOCAL_RATE_LIMIT,
} from '../../filters/network/local-ratelimit/config.ts'
import { compileNetworkRbac, NETWORK_RBAC } from '../../filters/network/rbac/config.ts'
import type { RuleOrigins } from '../../filters/rbac/policy.ts'
import { compileConnectionLogs } from '../../telemetry/access-log/compile.ts'
import type {
  ConnectionLimitPlan,
  FilterChainPlan,
  ListenerFilterPlan,
  ListenerPlan,
  TrafficDirectionPlan,
} from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { compileAddress, durationMs, originOf, ruleOriginsOf } from './common.ts'
import { indexFilterChains } from './filter-chain-index.ts'
import { compileFilterChainMatch, matchesAll } from './filter-chain-match.ts'
import { notHonoured } from './honoured.ts'
import { compileHttpManager, HTTP_MANAGER } from './http-manager.ts'
import { ISTIO_STATS } from './istio-stats.ts'
import { compileListenerFilter } from './listener-filters.ts'
import { compilingResource } from './resource-name.ts'
import { compileTcpProxy, TCP_PROXY } from './tcp-proxy.ts'
import { compileDownstreamTls } from './transport-socket.ts'

/** Envoy's. */
const DEFAULT_LISTENER_FILTERS_TIMEOUT_MS = 15_000
/** Envoy has none: a client that never ends its handshake would stay for ever. */
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 15_000

/** envoy.config.listener.v3.Listener. Throws a PlanError that names the field. */
export function compileListener(listener: Listener): ListenerPlan {
  return compilingResource(`listener ${listener.name}`, () => compile(listener))
}

function compile(listener: Listener): ListenerPlan {
  const place = compileAddress(listener.address, 'address')
  if (place.unixPath !== '') refuse('address.pipe', 'listening on a unix socket is not supported yet')
  refuseUnserved(listener)
  const filters: ListenerFilterPlan[] = []
  const rateLimits: ConnectionRateLimitPlan[] = []
  listener.listenerFilters.forEach((one, i) => {
    const plan = compileListenerFilter(one, `listener_filters[${i}]`)
    if (plan.kind === 'local_ratelimit') rateLimits.push(plan)
    else filters.push(plan)
  })
  const origins = ruleOriginsOf(listener.metadata)
  const direction = DIRECTION[listener.trafficDirection]
  const chains = listener.filterChains.map((chain, i) =>
    compileFilterChain(chain, `filter_chains[${i}]`, origins, direction),
  )
  const fallback = listener.defaultFilterChain
  if (chains.length === 0 && fallback === undefined) refuse('filter_chains', 'at least one filter chain is needed')
  const defaultFilterChain = fallback && compileFilterChain(fallback, 'default_filter_chain', origins, direction)
  return {
    name: listener.name,
    address: place.address,
    port: place.port,
    bindToPort: listener.bindToPort ?? true,
    useOriginalDst: listener.useOriginalDst ?? false,
    trafficDirection: direction,
    listenerFilters: filters,
    rateLimits,
    listenerFiltersTimeoutMs: durationMs(listener.listenerFiltersTimeout, DEFAULT_LISTENER_FILTERS_TIMEOUT_MS),
    continueOnListenerFiltersTimeout: listener.continueOnListenerFiltersTimeout,
    filterChains: chains,
    defaultFilterChain,
    chainIndex: indexFilterChains(chains),
    plainChain: plainChain(chains, defaultFilterChain),
    observers: compileConnectionLogs(listener.accessLog, 'access_log'),
    ignored: notHonoured(ListenerSchema, listener),
    origin: originOf(listener.metadata),
  }
}

function refuseUnserved(listener: Listener): void {
  if (listener.additionalAddresses.length > 0) refuse('additional_addresses', 'not supported')
  if (listener.filterChainMatcher !== undefined) refuse('filter_chain_matcher', 'not supported')
  if (listener.transparent === true) refuse('transparent', 'not supported')
  if (listener.listenerSpecifier.case !== undefined) refuse('internal_listener', 'not supported')
  if (listener.udpListenerConfig !== undefined) refuse('udp_listener_config', 'not supported')
  if (listener.apiListener !== undefined) refuse('api_listener', 'not supported')
}

const DIRECTION = {
  [TrafficDirection.UNSPECIFIED]: 'unspecified',
  [TrafficDirection.INBOUND]: 'inbound',
  [TrafficDirection.OUTBOUND]: 'outbound',
} as const

function plainChain(
  chains: readonly FilterChainPlan[],
  fallback: FilterChainPlan | undefined,
): FilterChainPlan | undefined {
  const [first, second] = chains
  if (first === undefined) return fallback
  return second === undefined && matchesAll(first.match) ? first : undefined
}

function compileFilterChain(
  chain: FilterChain,
  path: string,
  origins: RuleOrigins | undefined,
  direction: TrafficDirectionPlan,
): FilterChainPlan {
  if (chain.useProxyProto === true) refuse(`${path}.use_proxy_proto`, 'use the listener filter proxy_protocol')
  const filters = chain.filters
  const last = filters.at(-1)
  if (last === undefined) return refuse(`${path}.filters`, 'at least one network filter is needed')
  let connectionLimit: ConnectionLimitPlan | undefined
  const authorization: NetworkAuthorizationPlan[] = []
  const stats: Any[] = []
  filters.slice(0, -1).forEach((filter, i) => {
    const at = `${path}.filters[${i}]`
    const any = configOf(filter, at)
    if (anyIs(any, NETWORK_RBAC)) {
      authorization.push(compileNetworkRbac(any, `${at}.typed_config`, origins))
      return
    }
    if (anyIs(any, NETWORK_EXT_AUTHZ)) {
      authorization.push(compileNetworkExtAuthz(any, `${at}.typed_config`))
      return
    }
    if (anyIs(any, NETWORK_LOCAL_RATE_LIMIT)) {
      authorization.push(compileNetworkRateLimit(any, `${at}.typed_config`, origins))
      return
    }
    if (anyIs(any, ISTIO_STATS)) {
      stats.push(any)
      return
    }
    const limit = compileConnectionLimit(filter, at)
    if (connectionLimit !== undefined) refuse(at, 'one connection limit is enough')
    connectionLimit = limit
  })
  const filter = compileNetworkFilter(last, `${path}.filters[${filters.length - 1}]`, origins, direction, stats)
  return {
    name: chain.name,
    match: compileFilterChainMatch(chain.filterChainMatch, `${path}.filter_chain_match`),
    tls: compileDownstreamTls(chain.transportSocket, `${path}.transport_socket`, speaksBoth(filter)),
    handshakeTimeoutMs: durationMs(chain.transportSocketConnectTimeout, 0) || DEFAULT_HANDSHAKE_TIMEOUT_MS,
    connectionLimit,
    authorization,
    filter,
  }
}

/** The one network filter beside those that say who may connect that may stand before the last. */
function compileConnectionLimit(filter: Filter, path: string): ConnectionLimitPlan {
  const limit = anyUnpack(configOf(filter, path), ConnectionLimitSchema)
  if (limit === undefined) return refuse(path, `${filter.name} before the last filter is not supported`)
  if (limit.runtimeEnabled !== undefined) refuse(`${path}.typed_config.runtime_enabled`, 'not supported')
  const max = limit.maxConnections ?? 0n
  if (max < 1n) refuse(`${path}.typed_config.max_connections`, 'at least 1')
  return { statPrefix: limit.statPrefix, maxConnections: Number(max), delayMs: durationMs(limit.delay, 0) }
}

function compileNetworkFilter(
  filter: Filter,
  path: string,
  origins: RuleOrigins | undefined,
  direction: TrafficDirectionPlan,
  stats: readonly Any[],
): FilterChainPlan['filter'] {
  const any = configOf(filter, path)
  const at = `${path}.typed_config`
  if (anyIs(any, HTTP_MANAGER)) return compileHttpManager(any, at, origins, direction)
  if (anyIs(any, TCP_PROXY)) return compileTcpProxy(any, at, direction, stats)
  return refuse(path, `network filter ${filter.name} (${any.typeUrl}) is not supported`)
}

function configOf(filter: Filter, path: string): Any {
  return filter.configType.case === 'typedConfig'
    ? filter.configType.value
    : refuse(`${path}.typed_config`, 'is needed')
}

/** Whether a chain takes any version of HTTP, and so that of our own proxies. */
function speaksBoth(filter: FilterChainPlan['filter']): boolean {
  return filter.kind === 'http' && filter.codec === 'auto'
}
