import { create } from '@bufbuild/protobuf'
import { type Metadata, MetadataSchema, TrafficDirection } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  type FilterChain,
  type FilterChainMatch,
  FilterChainMatchSchema,
  FilterChainSchema,
  FilterSchema,
  ListenerFilterSchema,
} from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import { type Listener, ListenerSchema } from '../../../api/gen/envoy/config/listener/v3/listener_pb.js'
import { OriginalDstSchema } from '../../../api/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { TlsInspectorSchema } from '../../../api/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import { HttpConnectionManagerSchema } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { TcpProxySchema } from '../../../api/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import { BLACK_HOLE_CLUSTER } from '../../../api/names.ts'
import { RULES_METADATA_KEY } from '../../../api/rule-names.ts'
import type { MeshOptions } from '../../mesh/options.ts'
import { address, cidrRange } from '../address.ts'
import { limitOrigins, withNetworkLimits } from '../limits/apply.ts'
import { any, duration, metadata } from '../messages.ts'
import { reportLogs } from '../policy/reports.ts'
import { httpSecurityFilters, networkSecurityFilters } from '../security/filters.ts'
import { ruleOrigins } from '../security/rule-origins.ts'
import { listenerAccessLogs } from '../telemetry/access-logs.ts'
import { tcpStatsFilters } from '../telemetry/metrics.ts'
import { NO_TELEMETRY } from '../telemetry/plan.ts'
import { httpConnectionManager } from './http-connection-manager.ts'
import type { ChainMatch, ChainPlan, ListenerPlan } from './plan.ts'
import { tcpProxy } from './tcp-proxy.ts'
import { downstreamTransportSocket } from './transport-socket.ts'

/** The listener of a plan. */
export function listener(plan: ListenerPlan, options: MeshOptions): Listener {
  const defaultChain = plan.defaultChain && filterChain(plan.defaultChain, options)
  return create(ListenerSchema, {
    name: plan.name,
    address: address(plan.bind, plan.port),
    filterChains: plan.chains.map((chain) => filterChain(chain, options)),
    ...(defaultChain && { defaultFilterChain: defaultChain }),
    listenerFilters: listenerFilters(plan),
    ...(takesBoth(plan) && {
      listenerFiltersTimeout: duration(SILENT_CLIENT_MS),
      continueOnListenerFiltersTimeout: true,
    }),
    ...(plan.useOriginalDst && { useOriginalDst: true }),
    ...(!plan.bindToPort && { bindToPort: false }),
    trafficDirection: plan.direction === 'inbound' ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
    accessLog: options.disableEnvoyListenerLog ? [] : listenerAccessLogs(plan.telemetry ?? NO_TELEMETRY),
    ...listenerMetadata(plan),
  })
}

/**
 * How long a client may say nothing before it counts as one that waits for the server to speak first (MySQL, SMTP), and thus as one
 * without TLS. Whoever speaks later has waited this long at most.
 */
const SILENT_CLIENT_MS = 1_000

/** Whether some of a workload's ports take mutual TLS, and some plain text: they share one look at the first bytes. */
function takesBoth({ direction, chains, defaultChain }: ListenerPlan): boolean {
  if (direction !== 'inbound') return false
  const all = defaultChain === undefined ? chains : [...chains, defaultChain]
  return all.some(({ tls }) => tls !== undefined) && all.some((chain) => chain.tls === undefined && !isBlackHole(chain))
}

function isBlackHole({ target }: ChainPlan): boolean {
  return target.kind === 'tcp' && target.clusters[0]?.name === BLACK_HOLE_CLUSTER
}

/** Where the listener comes from, and where the rules are written that its chains ask callers. */
function listenerMetadata({ origin, chains, defaultChain }: ListenerPlan): { metadata?: Metadata } {
  const security = [...chains, defaultChain].find((chain) => chain?.security !== undefined)?.security
  const limits = limitOrigins([...chains, defaultChain])
  const rules = security === undefined ? limits : { ...ruleOrigins(security), ...limits }
  if (origin === undefined && Object.keys(rules).length === 0) return {}
  const own = origin === undefined ? create(MetadataSchema) : metadata(origin)
  if (Object.keys(rules).length > 0) own.filterMetadata[RULES_METADATA_KEY] = rules
  return { metadata: own }
}

function listenerFilters(plan: ListenerPlan) {
  const filter = (name: string, typedConfig: ReturnType<typeof any>) =>
    create(ListenerFilterSchema, { name, configType: { case: 'typedConfig', value: typedConfig } })
  const filters = []
  if (plan.useOriginalDst) {
    filters.push(filter('envoy.filters.listener.original_dst', any(OriginalDstSchema, create(OriginalDstSchema))))
  }
  if (plan.chains.some(({ match }) => match.serverNames !== undefined || match.transportProtocol !== undefined)) {
    filters.push(filter('envoy.filters.listener.tls_inspector', any(TlsInspectorSchema, create(TlsInspectorSchema))))
  }
  return filters
}

function filterChain(plan: ChainPlan, options: MeshOptions): FilterChain {
  const match = filterChainMatch(plan.match)
  return create(FilterChainSchema, {
    name: plan.name,
    ...(match && { filterChainMatch: match }),
    filters: networkFilters(plan, options),
    ...(plan.tls && { transportSocket: downstreamTransportSocket(plan.tls, options) }),
    ...(plan.origin && { metadata: metadata(plan.origin) }),
  })
}

function filterChainMatch(match: ChainMatch): FilterChainMatch | undefined {
  const { port, destinations, serverNames, transportProtocol, applicationProtocols = [] } = match
  if (Object.keys(match).length === 0) return undefined
  return create(FilterChainMatchSchema, {
    ...(port !== undefined && { destinationPort: port }),
    prefixRanges: (destinations ?? []).map(cidrRange),
    // `*` is every name, which a list of names cannot say.
    serverNames: serverNames === undefined || serverNames.includes('*') ? [] : [...serverNames],
    ...((serverNames?.includes('*') || transportProtocol !== undefined) && { transportProtocol: 'tls' }),
    applicationProtocols: [...applicationProtocols],
  })
}

function networkFilters(
  { target, security, limits, telemetry = NO_TELEMETRY, reports }: ChainPlan,
  options: MeshOptions,
) {
  const filter = (name: string, value: ReturnType<typeof any>) =>
    create(FilterSchema, { name, configType: { case: 'typedConfig', value } })
  if (target.kind === 'http') {
    const manager = httpConnectionManager(
      target,
      security === undefined ? [] : httpSecurityFilters(security, options, target.role),
      options,
      limits,
      telemetry,
    )
    manager.accessLog.push(...reportLogs(reports, 'http'))
    const ours = filter('envoy.filters.network.http_connection_manager', any(HttpConnectionManagerSchema, manager))
    return withNetworkLimits([ours], limits)
  }
  const asked = security === undefined ? [] : networkSecurityFilters(security, options)
  const tcp = tcpProxy(target, telemetry)
  tcp.accessLog.push(...reportLogs(reports, 'tcp'))
  const proxy = filter('envoy.filters.network.tcp_proxy', any(TcpProxySchema, tcp))
  return withNetworkLimits([...asked, ...tcpStatsFilters(telemetry), proxy], limits)
}
