import { type Logger, silentLogger } from '../../lib/log.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'

type Json = Record<string, unknown>

/** One proxy with one listener, whose every request goes to one cluster. What is given replaces the defaults. */
export interface StaticProxyOptions {
  /** Where the cluster's hosts listen, on 127.0.0.1. */
  readonly upstreams: readonly number[]
  /** What the cluster speaks. */
  readonly upstreamProtocol?: 'http1' | 'http2' | 'downstream'
  readonly address?: string
  readonly port?: number
  /** Port of the admin pages; without it there are none. */
  readonly adminPort?: number
  /** Fields of the connection manager, the route action, the route, the cluster and its HTTP options. */
  readonly manager?: Json
  readonly route?: Json
  readonly match?: Json
  readonly cluster?: Json
  readonly http2?: Json
  readonly commonHttp?: Json
  /** Other clusters by name, each with the port of its only host. */
  readonly moreClusters?: Readonly<Record<string, number>>
}

const MANAGER = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'
const ROUTER = 'envoy.extensions.filters.http.router.v3.Router'
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** The bootstrap of such a proxy, as JSON. */
export function staticBootstrap(options: StaticProxyOptions): string {
  const address = options.address ?? '127.0.0.1'
  const at = (port: number) => ({ socket_address: { address, port_value: port } })
  const routes = [
    { match: options.match ?? { prefix: '/' }, route: { cluster: 'upstream', ...options.route } },
    { match: { connect_matcher: {} }, route: { cluster: 'upstream', ...options.route } },
  ]
  const manager = {
    '@type': `type.googleapis.com/${MANAGER}`,
    stat_prefix: 'in',
    route_config: { name: 'all', virtual_hosts: [{ name: 'all', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: { '@type': `type.googleapis.com/${ROUTER}` } }],
    ...options.manager,
  }
  const endpoints = options.upstreams.map((port) => ({
    endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } },
  }))
  const cluster = {
    name: 'upstream',
    type: 'STATIC',
    typed_extension_protocol_options: { [HTTP_OPTIONS]: httpOptions(options) },
    load_assignment: { cluster_name: 'upstream', endpoints: [{ lb_endpoints: endpoints }] },
    ...options.cluster,
  }
  const filters = [{ name: 'http', typed_config: manager }]
  return JSON.stringify({
    node: { id: 'static', cluster: 'test' },
    ...(options.adminPort === undefined ? {} : { admin: { address: at(options.adminPort) } }),
    static_resources: {
      listeners: [{ name: 'in', address: at(options.port ?? 0), filter_chains: [{ filters }] }],
      clusters: [cluster, ...moreClusters(options)],
    },
  })
}

function moreClusters({ moreClusters = {} }: StaticProxyOptions): Json[] {
  return Object.entries(moreClusters).map(([name, port]) => {
    const endpoint = { address: { socket_address: { address: '127.0.0.1', port_value: port } } }
    return {
      name,
      type: 'STATIC',
      load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    }
  })
}

function httpOptions({ upstreamProtocol = 'http1', http2 = {}, commonHttp = {} }: StaticProxyOptions): Json {
  const http1 = { http_protocol_options: {} }
  const protocol = {
    http1: { explicit_http_config: http1 },
    http2: { explicit_http_config: { http2_protocol_options: http2 } },
    downstream: { use_downstream_protocol_config: { ...http1, http2_protocol_options: http2 } },
  }[upstreamProtocol]
  return { '@type': `type.googleapis.com/${HTTP_OPTIONS}`, common_http_protocol_options: commonHttp, ...protocol }
}

/** Such a proxy in this process. Its bugs are kept: a test ends by looking that there were none. */
export class StaticProxy {
  readonly agent: Agent
  readonly bugs: Json[] = []

  private constructor(options: StaticProxyOptions) {
    const log: Logger = { ...silentLogger, error: (_message, fields) => this.bugs.push(fields ?? {}) }
    this.agent = new Agent(parseBootstrap(staticBootstrap(options), 'static'), 'static', { log })
  }

  static async start(options: StaticProxyOptions): Promise<StaticProxy> {
    const proxy = new StaticProxy(options)
    await proxy.agent.start()
    return proxy
  }

  get port(): number {
    return this.agent.planes.listeners()[0]?.port ?? 0
  }

  /** The sum of all metrics with this name. */
  metric(name: string): number {
    let sum = 0
    for (const metric of this.agent.planes.metrics.all()) if (metric.name === name) sum += metric.value
    return sum
  }

  /** Ends at once. Throws what no code expected while it ran. */
  async stop(drainDeadlineMs = 0): Promise<void> {
    await this.agent.stop(drainDeadlineMs)
    if (this.bugs.length > 0) throw new Error(`bugs of the proxy: ${JSON.stringify(this.bugs, null, 1)}`)
  }
}
