import { cluster, typed } from '../../support/static-resources.ts'

/** Static resources of a proxy that makes Istio's metrics of connections and calls. */

export const HTTP = 'http'
export const TCP = 'tcp'

/** How often open connections are reported. */
export const REPORT_MS = 1000

const STATS = {
  name: 'istio.stats',
  typed_config: {
    '@type': 'type.googleapis.com/stats.PluginConfig',
    tcp_reporting_duration: `${REPORT_MS / 1000}s`,
  },
}

/** A proxy at an address with a listener of TCP and one of HTTP, each to an upstream on 127.0.0.1. */
export function bootstrap(
  address: string,
  ports: { readonly tcp: number; readonly http: number; readonly admin?: number },
  upstreams: { readonly tcp: number; readonly http: number },
): string {
  const at = (port_value: number) => ({ socket_address: { address, port_value } })
  const tcpProxy = {
    name: 'tcp',
    typed_config: typed('filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: TCP, cluster: TCP }),
  }
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: HTTP,
    route_config: {
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: HTTP } }] }],
    },
    http_filters: [STATS, { name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  const listener = (name: string, port: number, filters: readonly object[]) => ({
    name,
    address: at(port),
    traffic_direction: 'OUTBOUND',
    filter_chains: [{ filters }],
  })
  return JSON.stringify({
    node: { id: 'n', cluster: 'c' },
    ...(ports.admin === undefined ? {} : { admin: { address: at(ports.admin) } }),
    static_resources: {
      listeners: [
        listener(TCP, ports.tcp, [STATS, tcpProxy]),
        listener(HTTP, ports.http, [{ name: 'http', typed_config: manager }]),
      ],
      clusters: [cluster(TCP, [upstreams.tcp]), cluster(HTTP, [upstreams.http])],
    },
  })
}
