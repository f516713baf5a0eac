import { type Logger, silentLogger } from '../../lib/log.ts'
import { Agent, type AgentOptions } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import { cluster } from './static-resources.ts'

export type ApiType = 'GRPC' | 'DELTA_GRPC'

/** A bootstrap that takes everything from the management server on this port. */
export function xdsBootstrap(xdsPort: number, apiType: ApiType = 'GRPC', staticResources: object = {}): string {
  const { clusters = [], ...others } = staticResources as { clusters?: object[] }
  return JSON.stringify({
    node: { id: 'test', cluster: 'test' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    dynamic_resources: {
      ads_config: {
        api_type: apiType,
        transport_api_version: 'V3',
        grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
      },
      cds_config: { ads: {}, resource_api_version: 'V3' },
      lds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: { ...others, clusters: [cluster('xds', [xdsPort]), ...clusters] },
  })
}

/** A proxy in this process. Its faults are kept: a test ends by looking that there were none. */
export class XdsProxy {
  readonly agent: Agent
  readonly faults: unknown[] = []
  /** Everything that was logged. */
  readonly logged: string[] = []

  private constructor(bootstrap: string, options: AgentOptions) {
    const keep = (message: string, fields?: object) => this.logged.push(`${message} ${JSON.stringify(fields)}`)
    const error: Logger['error'] = (message, fields) => {
      keep(message, fields)
      this.faults.push(message, fields)
    }
    const log: Logger = { ...silentLogger, debug: keep, info: keep, warning: keep, error }
    this.agent = new Agent(parseBootstrap(bootstrap, 'test.json'), 'test.json', { log, ...options })
  }

  static async start(bootstrap: string, options: AgentOptions = {}): Promise<XdsProxy> {
    const proxy = new XdsProxy(bootstrap, options)
    await proxy.agent.start()
    return proxy
  }

  get listenerNames(): string[] {
    return this.agent.planes.listeners().map(({ name }) => name)
  }

  /** The port of a listener; undefined while it does not listen. */
  portOf(name: string): number | undefined {
    return this.agent.planes.listeners().find((listener) => listener.name === name)?.port
  }

  port(name: string): number {
    const port = this.portOf(name)
    if (port === undefined) throw new Error(`no listener ${name}`)
    return port
  }

  /** The sum of all metrics with this name. */
  stat(name: string): number {
    let sum = 0
    for (const metric of this.agent.planes.metrics.all()) if (metric.name === name) sum += metric.value
    return sum
  }

  async admin(path: string): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.agent.admin?.port}${path}`)).text()
  }

  async stop(): Promise<void> {
    await this.agent.stop(0)
    if (this.faults.length > 0) throw new Error(`faults of the proxy: ${JSON.stringify(this.faults, null, 1)}`)
  }
}
