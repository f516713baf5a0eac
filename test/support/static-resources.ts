import type { Issued } from './certificates.ts'

/** Pieces of static resources, as one-line YAML. */

const TYPE = 'type.googleapis.com/envoy.extensions'

export const typed = (type: string, fields: object = {}) => ({ '@type': `${TYPE}.${type}`, ...fields })

export const TLS_INSPECTOR = { name: 'tls', typed_config: typed('filters.listener.tls_inspector.v3.TlsInspector') }
export const HTTP_INSPECTOR = { name: 'http', typed_config: typed('filters.listener.http_inspector.v3.HttpInspector') }

export function certificate({ certFile, keyFile }: Issued): object {
  return { certificate_chain: { filename: certFile }, private_key: { filename: keyFile } }
}

export function downstreamTls(common: object, fields: object = {}): object {
  const config = typed('transport_sockets.tls.v3.DownstreamTlsContext', { common_tls_context: common, ...fields })
  return { name: 'envoy.transport_sockets.tls', typed_config: config }
}

export function upstreamTls(common: object, fields: object = {}): object {
  const config = typed('transport_sockets.tls.v3.UpstreamTlsContext', { common_tls_context: common, ...fields })
  return { name: 'envoy.transport_sockets.tls', typed_config: config }
}

/** A filter chain that answers every request with this text. */
export function httpChain(text: string, fields: object = {}): object {
  return routedChain({ direct_response: { status: 200, body: { inline_string: text } } }, fields)
}

/** A filter chain that sends every request to this cluster; `action` is what else its RouteAction says. */
export function forwardChain(cluster: string, fields: object = {}, action: object = {}): object {
  return routedChain({ route: { cluster, ...action } }, fields)
}

function routedChain(action: object, fields: object): object {
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, ...action }] }] },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  return { filters: [{ name: 'http', typed_config: manager }], ...fields }
}

export function tcpChain(cluster: string, fields: object = {}, proxy: object = {}): object {
  const config = typed('filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: 't', cluster, ...proxy })
  return { filters: [{ name: 'tcp', typed_config: config }], ...fields }
}

export function listener(name: string, fields: object): object {
  return { name, address: { socket_address: { address: '127.0.0.1', port_value: 0 } }, ...fields }
}

export function cluster(name: string, ports: readonly number[], fields: object = {}): object {
  const lb_endpoints = ports.map((port_value) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value } } },
  }))
  return { name, type: 'STATIC', load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints }] }, ...fields }
}

interface Forwarding {
  host: string
  port: number
  upstreamPort: number
  /** Of connections and requests to the upstream, at once. */
  limit: number
}

/** A bootstrap file that sends everything to one upstream on the same host. */
export function forwardingBootstrap({ host, port, upstreamPort, limit }: Forwarding): string {
  const address = (port_value: number) => ({ socket_address: { address: host, port_value } })
  const thresholds = [{ max_connections: limit, max_pending_requests: limit, max_requests: limit }]
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(upstreamPort) } }] }]
  const up = cluster('up', [], {
    circuit_breakers: { thresholds },
    load_assignment: { cluster_name: 'up', endpoints },
  })
  const at = listener('in', { address: address(port), filter_chains: [forwardChain('up')] })
  return JSON.stringify({ static_resources: { listeners: [at], clusters: [up] } })
}

/** JSON is YAML. */
export function resources(listeners: readonly object[], clusters: readonly object[] = []): string {
  return JSON.stringify({ listeners, clusters })
}

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** Of a cluster whose endpoints speak HTTP/2. */
export const HTTP2 = {
  typed_extension_protocol_options: {
    [HTTP_OPTIONS]: {
      '@type': `type.googleapis.com/${HTTP_OPTIONS}`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}
