import { TrafficDirection } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type {
  Filter,
  FilterChain,
  FilterChainMatch,
} from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import { type Listener, ListenerSchema } from '../../../api/gen/envoy/config/listener/v3/listener_pb.js'
import type { FilterChainMatchPlan, FilterChainPlan, ListenerPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { compileAddress, originOf } from './common.ts'
import { notHonoured } from './honoured.ts'
import { compileHttpManager, HTTP_MANAGER } from './http-manager.ts'
import { compileTcpProxy, TCP_PROXY } from './tcp-proxy.ts'

/**
 * Listener filters whose work is done elsewhere or not needed: the original destination comes from the kernel, and
 * protocols are not sniffed for plain listeners.
 */
const KNOWN_LISTENER_FILTERS = new Set([
  'envoy.filters.listener.original_dst',
  'envoy.filters.listener.tls_inspector',
  'envoy.filters.listener.http_inspector',
])

/** envoy.config.listener.v3.Listener. Throws a PlanError that names the field. */
export function compileListener(listener: Listener): ListenerPlan {
  const place = compileAddress(listener.address, 'address')
  if (place.unixPath !== '') refuse('address.pipe', 'listening on a unix socket is not supported yet')
  if (listener.additionalAddresses.length > 0) refuse('additional_addresses', 'not supported')
  listener.listenerFilters.forEach((filter, i) => {
    if (!KNOWN_LISTENER_FILTERS.has(filter.name)) refuse(`listener_filters[${i}]`, `${filter.name} is not known`)
  })
  const chains = listener.filterChains.map((chain, i) => compileFilterChain(chain, `filter_chains[${i}]`))
  refuseTwins(chains)
  const fallback = listener.defaultFilterChain
  if (chains.length === 0 && fallback === undefined) refuse('filter_chains', 'at least one filter chain is needed')
  return {
    name: listener.name,
    address: place.address,
    port: place.port,
    bindToPort: listener.bindToPort ?? true,
    useOriginalDst: listener.useOriginalDst ?? false,
    trafficDirection: DIRECTION[listener.trafficDirection],
    filterChains: chains,
    defaultFilterChain: fallback === undefined ? undefined : compileFilterChain(fallback, 'default_filter_chain'),
    ignored: notHonoured(ListenerSchema, listener),
    origin: originOf(listener.metadata),
  }
}

const DIRECTION = {
  [TrafficDirection.UNSPECIFIED]: 'unspecified',
  [TrafficDirection.INBOUND]: 'inbound',
  [TrafficDirection.OUTBOUND]: 'outbound',
} as const

function compileFilterChain(chain: FilterChain, path: string): FilterChainPlan {
  if (chain.transportSocket !== undefined && chain.transportSocket.name !== 'envoy.transport_sockets.raw_buffer') {
    refuse(`${path}.transport_socket`, `${chain.transportSocket.name} is not supported yet`)
  }
  const filters = chain.filters
  const last = filters.at(-1)
  if (last === undefined) return refuse(`${path}.filters`, 'at least one network filter is needed')
  if (filters.length > 1) refuse(`${path}.filters[0]`, `${filters[0]?.name} before the last filter is not supported`)
  return {
    name: chain.name,
    match: compileMatch(chain.filterChainMatch, `${path}.filter_chain_match`),
    filter: compileNetworkFilter(last, `${path}.filters[${filters.length - 1}]`),
  }
}

function compileNetworkFilter(filter: Filter, path: string): FilterChainPlan['filter'] {
  if (filter.configType.case !== 'typedConfig') return refuse(`${path}.typed_config`, 'is needed')
  const any = filter.configType.value
  const at = `${path}.typed_config`
  switch (any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1)) {
    case HTTP_MANAGER:
      return compileHttpManager(any, at)
    case TCP_PROXY:
      return compileTcpProxy(any, at)
    default:
      return refuse(path, `network filter ${filter.name} (${any.typeUrl}) is not supported`)
  }
}

function compileMatch(match: FilterChainMatch | undefined, path: string): FilterChainMatchPlan {
  if (match !== undefined && match.sourceType !== 0) refuse(`${path}.source_type`, 'not supported')
  if (match !== undefined && match.sourcePrefixRanges.length > 0)
    refuse(`${path}.source_prefix_ranges`, 'not supported')
  if (match !== undefined && match.sourcePorts.length > 0) refuse(`${path}.source_ports`, 'not supported')
  return {
    destinationPort: match?.destinationPort,
    prefixRanges: (match?.prefixRanges ?? []).map((range) => ({
      address: range.addressPrefix,
      prefixLength: range.prefixLen ?? 0,
    })),
    serverNames: match?.serverNames ?? [],
    transportProtocol: match?.transportProtocol ?? '',
    applicationProtocols: match?.applicationProtocols ?? [],
  }
}

/** Two chains with the same match refuse the listener, as in Envoy: the second could never be reached. */
function refuseTwins(chains: readonly FilterChainPlan[]): void {
  const seen = new Map<string, number>()
  chains.forEach((chain, i) => {
    const key = JSON.stringify(chain.match)
    const other = seen.get(key)
    if (other !== undefined)
      refuse(`filter_chains[${i}].filter_chain_match`, `is the same as that of filter_chains[${other}]`)
    seen.set(key, i)
  })
}
