import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatNodeId, type NodeType } from '../../api/node.ts'
import { planOfView } from '../../cli/explain/plan-of-view.ts'
import { MemorySource } from '../../config/sources/memory.ts'
import { silentLogger } from '../../lib/log.ts'
import { Pilot } from '../../pilot/pilot.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import type { Plan } from '../../proxy/plan/plan.ts'
import { EchoServer } from '../support/echo-server.ts'
import { eventually } from '../support/eventually.ts'
import { type Addresses, GATEWAY_PORT, HTTP_PORT, infrastructure, type PlaneName } from './config.ts'
import { RULES } from './rules.ts'

/** Pilot, echo servers, real Envoy and our proxy, each with a sidecar and a gateway, on one configuration. */
export class Planes {
  readonly at: Addresses
  readonly pilot: Pilot
  readonly upstreams: { v1: EchoServer; v2: EchoServer; shadow: EchoServer }
  readonly #source: MemorySource
  readonly #agents: Agent[] = []
  readonly #envoys: ChildProcess[] = []
  readonly #dir = mkdtempSync(join(tmpdir(), 'lateen-differential-'))
  #envoyLog = ''

  constructor(at: Addresses) {
    this.at = at
    this.#source = new MemorySource({ 'infrastructure.yaml': infrastructure(at), ...RULES })
    const errors = this.#source.current().findings.filter((finding) => finding.severity === 'error')
    if (errors.length > 0) throw new Error(JSON.stringify(errors, null, 1))
    this.pilot = new Pilot({
      source: this.#source,
      xdsAddress: '127.0.0.1:0',
      httpAddress: '127.0.0.1:0',
      log: silentLogger,
    })
    this.upstreams = { v1: new EchoServer('v1'), v2: new EchoServer('v2'), shadow: new EchoServer('shadow') }
  }

  /** `envoy` is the path of the real one; without it only our own plane runs. */
  async start(envoy: string | undefined): Promise<void> {
    await this.pilot.start()
    await this.upstreams.v1.listen(HTTP_PORT, this.at.v1)
    await this.upstreams.v2.listen(HTTP_PORT, this.at.v2)
    await this.upstreams.shadow.listen(HTTP_PORT, this.at.mirror)
    for (const type of ['sidecar', 'router'] as const) {
      const agent = new Agent(parseBootstrap(this.#bootstrap(type, 'lateen'), 'lateen.yaml'), 'lateen.yaml', {
        log: silentLogger,
      })
      this.#agents.push(agent)
      await agent.start()
      if (envoy !== undefined) this.#startEnvoy(envoy, type)
    }
    const planes: PlaneName[] = envoy === undefined ? ['lateen'] : ['lateen', 'envoy']
    for (const plane of planes) {
      await eventually(() => canConnect(this.at.sidecar[plane], HTTP_PORT), 30_000).catch((thrown) => {
        throw new Error(`${plane} does not listen: ${thrown}\n${this.#envoyLog}`)
      })
      await eventually(() => canConnect(this.at.gateway[plane], GATEWAY_PORT), 30_000)
    }
  }

  /** The plan that our proxy of this type has, made anew from what the pilot would send it. */
  plan(type: NodeType): Plan {
    const { id, metadata } = this.#identity(type, 'lateen')
    const { plan, refused } = planOfView(this.pilot.publisher.viewFor({ id, cluster: 'test', metadata }))
    if (refused.length > 0) throw new Error(refused.join('\n'))
    return plan
  }

  async stop(): Promise<void> {
    for (const envoy of this.#envoys) {
      if (envoy.exitCode !== null) continue
      const gone = new Promise((resolve) => envoy.once('exit', resolve))
      envoy.kill('SIGKILL')
      await gone
    }
    for (const agent of this.#agents) await agent.stop(0)
    for (const server of Object.values(this.upstreams)) server.close()
    await this.pilot.close()
    this.#source.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #startEnvoy(envoy: string, type: NodeType): void {
    const file = join(this.#dir, `envoy-${type}.yaml`)
    writeFileSync(file, this.#bootstrap(type, 'envoy'))
    const args = ['-c', file, '--concurrency', '1', '--log-level', 'error', '--use-dynamic-base-id']
    const child = spawn(envoy, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#envoyLog = (this.#envoyLog + chunk.toString()).slice(-4000)
    })
    this.#envoys.push(child)
  }

  #identity(type: NodeType, plane: PlaneName) {
    const app = type === 'sidecar' ? 'client' : 'gateway'
    const ip = type === 'sidecar' ? this.at.sidecar[plane] : this.at.gateway[plane]
    return {
      id: formatNodeId({ type, ip, name: `${app}-${plane}`, namespace: 'default', domain: 'cluster.local' }),
      metadata: { NAMESPACE: 'default', LABELS: { app, version: plane, role: app } },
    }
  }

  #bootstrap(type: NodeType, plane: PlaneName): string {
    const { id, metadata } = this.#identity(type, plane)
    return JSON.stringify({
      node: { id, cluster: 'test', metadata },
      dynamic_resources: {
        ads_config: {
          api_type: 'DELTA_GRPC',
          transport_api_version: 'V3',
          grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
        },
        cds_config: { ads: {}, resource_api_version: 'V3' },
        lds_config: { ads: {}, resource_api_version: 'V3' },
      },
      static_resources: {
        clusters: [
          {
            name: 'xds',
            type: 'STATIC',
            typed_extension_protocol_options: {
              'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
                '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
                explicit_http_config: { http2_protocol_options: {} },
              },
            },
            load_assignment: {
              cluster_name: 'xds',
              endpoints: [
                {
                  lb_endpoints: [
                    {
                      endpoint: {
                        address: { socket_address: { address: '127.0.0.1', port_value: this.pilot.xdsPort } },
                      },
                    },
                  ],
                },
              ],
            },
          },
        ],
      },
    })
  }
}

function canConnect(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
