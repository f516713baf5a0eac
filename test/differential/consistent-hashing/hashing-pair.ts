import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EnvoyProcess } from '../../support/envoy-process.ts'
import { eventually } from '../../support/eventually.ts'
import { canConnect, loopbackBlock } from '../../support/mesh.ts'
import { cluster, tcpChain, typed } from '../../support/static-resources.ts'
import { XdsProxy } from '../../support/xds-proxy.ts'
import { XdsServer } from '../../support/xds-server.ts'

export const PORT = 8080
/** Bytes to the cluster `ring`, by the client's address. */
export const TCP_PORT = 8081
/** The name under which the clusters' endpoints are asked for. */
const SET = 'set'

export interface TestEndpoint {
  readonly port: number
  readonly weight: number
  readonly hashKey?: string
}

/** Real Envoy and our proxy with the same clusters and routes, and endpoints that come by EDS from one server. */
export class HashingPair {
  readonly hosts: { readonly envoy: string; readonly lateen: string }
  readonly #xds = new XdsServer()
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-hashing-'))
  #proxy: XdsProxy | undefined
  #envoy: EnvoyProcess | undefined

  constructor() {
    const block = loopbackBlock()
    this.hosts = { envoy: `${block}.1`, lateen: `${block}.2` }
  }

  async start(envoy: string, clusters: readonly object[], routes: readonly object[], first: readonly TestEndpoint[]) {
    await this.#xds.start()
    this.set(first)
    const text = (address: string) => bootstrap(address, this.#xds.port, clusters, routes)
    this.#proxy = await XdsProxy.start(text(this.hosts.lateen))
    const file = join(this.#dir, 'envoy.json')
    writeFileSync(file, text(this.hosts.envoy))
    this.#envoy = new EnvoyProcess(envoy, file)
    for (const host of Object.values(this.hosts)) {
      await eventually(() => canConnect(host, PORT), 30_000).catch((thrown) => {
        throw new Error(`${host}:${PORT} does not listen: ${thrown}\n${this.#envoy?.log}`)
      })
    }
  }

  set(endpoints: readonly TestEndpoint[]): void {
    const lb_endpoints = endpoints.map(({ port, weight, hashKey }) => ({
      endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
      load_balancing_weight: weight,
      ...(hashKey !== undefined && { metadata: { filter_metadata: { 'envoy.lb': { hash_key: hashKey } } } }),
    }))
    this.#xds.set('endpoint', SET, { endpoints: [{ lb_endpoints }] })
  }

  async stop(): Promise<void> {
    await this.#envoy?.stop()
    await this.#proxy?.stop()
    this.#xds.stop()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** A cluster of these endpoints. */
export function hashed(name: string, fields: object): object {
  const eds_config = { ads: {}, resource_api_version: 'V3' }
  return { name, type: 'EDS', eds_cluster_config: { eds_config, service_name: SET }, ...fields }
}

function bootstrap(address: string, xdsPort: number, clusters: readonly object[], routes: readonly object[]): string {
  const http2 = {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed('upstreams.http.v3.HttpProtocolOptions', {
      explicit_http_config: { http2_protocol_options: {} },
    }),
  }
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  const listener = {
    name: 'l',
    address: { socket_address: { address, port_value: PORT } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
  const tcp = {
    name: 't',
    address: { socket_address: { address, port_value: TCP_PORT } },
    filter_chains: [tcpChain('ring', {}, { hash_policy: [{ source_ip: {} }] })],
  }
  return JSON.stringify({
    node: { id: 'test', cluster: 'test' },
    dynamic_resources: {
      ads_config: {
        api_type: 'GRPC',
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
    },
    static_resources: {
      listeners: [listener, tcp],
      clusters: [cluster('xds', [xdsPort], { typed_extension_protocol_options: http2 }), ...clusters],
    },
  })
}

export function get(path: string, headers: Record<string, string | string[] | undefined> = {}): string {
  const lines = Object.entries({ host: 'h', ...headers }).flatMap(([name, value = []]) =>
    (typeof value === 'string' ? [value] : value).map((one) => `${name}: ${one}\r\n`),
  )
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
