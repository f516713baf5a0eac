import { certificate, cluster, downstreamTls, typed, upstreamTls } from '../../../test/support/static-resources.ts'
import { SERVER_NAME } from '../certificates.ts'
import type { Hop } from '../hop.ts'
import { HEADER, HEADER_PATTERN, type Route } from '../routes.ts'

/** What a bench adds to the bootstrap of all. */
export interface Additions {
  readonly node?: object
  readonly manager?: object
  /** Before the router. */
  readonly filters?: readonly object[]
  readonly clusters?: readonly object[]
}

/** A bootstrap that starts Envoy and Lateen alike. JSON is YAML. */
export function envoyConfig(hop: Hop, { node, manager, filters = [], clusters = [] }: Additions = {}): string {
  return JSON.stringify({
    ...(node && { node }),
    admin: { address: address(hop.adminPort) },
    static_resources: {
      listeners: [
        {
          name: 'in',
          address: address(hop.port),
          filter_chains: [{ filters: [httpManager(hop, manager, filters)], ...downstreamSocket(hop) }],
        },
      ],
      clusters: [
        upstreamCluster('up', hop.upstreamPort, { ...http2Options(hop), ...upstreamSocket(hop) }),
        upstreamCluster('none', hop.deadPort),
        ...Array.from({ length: hop.extraClusters }, (_, i) => upstreamCluster(`extra-${i}`, hop.upstreamPort)),
        ...clusters,
      ],
    },
  })
}

function address(port_value: number): object {
  return { socket_address: { address: '127.0.0.1', port_value } }
}

function httpManager(hop: Hop, fields: object | undefined, filters: readonly object[]): object {
  const last = hop.routes.length - 1
  const config = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'in',
    normalize_path: true,
    route_config: {
      name: 'bench',
      virtual_hosts: [{ name: 'all', domains: ['*'], routes: hop.routes.map((r, i) => route(r, i === last)) }],
    },
    http_filters: [
      ...filters,
      { name: 'envoy.filters.http.router', typed_config: typed('filters.http.router.v3.Router') },
    ],
    ...fields,
  })
  return { name: 'envoy.filters.network.http_connection_manager', typed_config: config }
}

function route({ kind, path }: Route, isWanted: boolean): object {
  const string_match = { safe_regex: { regex: HEADER_PATTERN } }
  const match = {
    ...(kind === 'path' ? { path } : { prefix: path }),
    ...(kind === 'prefix and header' ? { headers: [{ name: HEADER, string_match }] } : {}),
  }
  return { match, route: { cluster: isWanted ? 'up' : 'none', timeout: '0s' } }
}

function upstreamCluster(name: string, port: number, fields: object = {}): object {
  const limits = { max_connections: 8192, max_pending_requests: 8192, max_requests: 8192 }
  return cluster(name, [port], { connect_timeout: '5s', circuit_breakers: { thresholds: [limits] }, ...fields })
}

function http2Options({ protocol }: Hop): object {
  return protocol === 'http1' ? {} : HTTP2
}

function http2(): object {
  const options = typed('upstreams.http.v3.HttpProtocolOptions', {
    explicit_http_config: { http2_protocol_options: {} },
  })
  return {
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': options },
  }
}

/** Fields of a cluster that speaks HTTP/2. */
export const HTTP2 = http2()

/** Envoy's clients stop at TLS 1.2 unless told; the others have 1.3. */
const ONLY_TLS_1_3 = { tls_minimum_protocol_version: 'TLSv1_3', tls_maximum_protocol_version: 'TLSv1_3' }

function commonTls(hop: Hop, showsCertificate: boolean, checksPeer: boolean): object {
  return {
    tls_params: ONLY_TLS_1_3,
    ...(showsCertificate ? { tls_certificates: [certificate(hop.certificates)] } : {}),
    ...(checksPeer ? { validation_context: { trusted_ca: { filename: hop.certificates.caFile } } } : {}),
    ...(hop.protocol === 'http2' ? { alpn_protocols: ['h2'] } : {}),
  }
}

function downstreamSocket(hop: Hop): object {
  if (hop.downstreamTls === 'none') return {}
  const isMutual = hop.downstreamTls === 'mutual'
  const transport_socket = downstreamTls(commonTls(hop, true, isMutual), { require_client_certificate: isMutual })
  return { transport_socket }
}

function upstreamSocket(hop: Hop): object {
  if (hop.upstreamTls === 'none') return {}
  return { transport_socket: upstreamTls(commonTls(hop, hop.upstreamTls === 'mutual', true), { sni: SERVER_NAME }) }
}
