import { connect } from 'node:net'
import { formatNodeId, type NodeType } from '../../api/node.ts'
import { planOfView } from '../../cli/explain/plan-of-view.ts'
import type { ConfigSource } from '../../config/store.ts'
import { silentLogger } from '../../lib/log.ts'
import { type Random, randomInt, systemRandom } from '../../lib/random.ts'
import type { MeshOptions } from '../../pilot/mesh/options.ts'
import { Pilot } from '../../pilot/pilot.ts'
import { Agent } from '../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../proxy/agent/bootstrap.ts'
import type { Plan } from '../../proxy/plan/plan.ts'
import type { MeshAuthority } from './mesh-authority.ts'

const DEBOUNCE_MS = 10

/** Who a proxy stands beside. */
export interface Workload {
  type: NodeType
  name: string
  namespace?: string
  ip: string
  labels: Record<string, string>
  /** Its service account; `default` without. */
  account?: string
}

export function accountOf({ namespace = 'default', account = 'default' }: Workload): string {
  return `${namespace}/${account}`
}

/** A pilot and proxies in this process, on a configuration that the test gives. The caller closes the source. */
export class Mesh {
  readonly #source: ConfigSource
  readonly #authority: MeshAuthority | undefined
  readonly #options: Partial<MeshOptions>
  readonly #agents: Agent[] = []
  pilot: Pilot

  /** With an authority proxies come over TLS, each by the token of its account. */
  constructor(source: ConfigSource, authority?: MeshAuthority, options: Partial<MeshOptions> = {}) {
    const errors = source.current().findings.filter((finding) => finding.severity === 'error')
    if (errors.length > 0) throw new Error(JSON.stringify(errors, null, 1))
    this.#source = source
    this.#authority = authority
    this.#options = options
    this.pilot = this.#newPilot(0)
  }

  start(): Promise<void> {
    return this.pilot.start()
  }

  /** Ends the pilot as a crash would: its streams break and its port is closed. */
  stopPilot(): Promise<void> {
    return this.pilot.close()
  }

  /** A new pilot where the old one was. */
  async restartPilot(): Promise<void> {
    this.pilot = this.#newPilot(this.pilot.xdsPort)
    await this.pilot.start()
  }

  /** `random` are the dice of all its decisions. */
  async addProxy(workload: Workload, random: Random = systemRandom): Promise<Agent> {
    const file = `${workload.name}.json`
    const identity = this.#authority?.identity(accountOf(workload), this.pilot.caPort)
    const agent = new Agent(parseBootstrap(this.bootstrap(workload), file), file, {
      log: silentLogger,
      random,
      identity,
      tokenFile: identity?.tokenFile,
    })
    this.#agents.push(agent)
    await agent.start()
    return agent
  }

  /** The bootstrap file of a proxy of this mesh, for Envoy or for ours; `agent` is what serves a real Envoy's own certificate. */
  bootstrap(workload: Workload, agent?: object): string {
    const authority = this.#authority
    if (authority === undefined) return bootstrapText(workload, this.pilot.xdsPort)
    const token = authority.token(accountOf(workload))
    return bootstrapText(workload, this.pilot.caPort, { rootFile: authority.rootFile, token }, agent)
  }

  /** The plan that a proxy of this workload has, made anew from what the pilot would send it. */
  plan(workload: Workload): Plan {
    const { id, metadata } = identityOf(workload)
    const { plan, refused } = planOfView(this.pilot.publisher.viewFor({ id, cluster: 'test', metadata }))
    if (refused.length > 0) throw new Error(refused.join('\n'))
    return plan
  }

  async stop(): Promise<void> {
    for (const agent of this.#agents) await agent.stop(0)
    await this.pilot.close()
  }

  #newPilot(xdsPort: number): Pilot {
    return new Pilot({
      source: this.#source,
      xdsAddress: `127.0.0.1:${xdsPort}`,
      httpAddress: '127.0.0.1:0',
      log: silentLogger,
      debounceMs: DEBOUNCE_MS,
      ca: this.#authority?.options,
      mesh: this.#options,
    })
  }
}

export function identityOf({ type, name, namespace = 'default', ip, labels }: Workload) {
  return {
    id: formatNodeId({ type, ip, name, namespace, domain: 'cluster.local' }),
    metadata: { NAMESPACE: namespace, LABELS: labels },
  }
}

/** How the pilot's TLS port is called, by Envoy or by our proxy. */
export interface PilotTls {
  /** PEM. */
  readonly rootFile: string
  /** Sent as `initial_metadata`; without it the proxy is to know its token in another way. */
  readonly token?: string
  /** Of the mesh, in the place of a token. */
  readonly certificate?: { readonly certFile: string; readonly keyFile: string }
}

/**
 * A bootstrap file, for Envoy or for our proxy, that takes everything from the pilot on this port. `agent` is the address of what
 * serves the workload's own certificate, which a real Envoy does not have within it.
 */
export function bootstrapText(workload: Workload, xdsPort: number, tls?: PilotTls, agent?: object): string {
  const { id, metadata } = identityOf(workload)
  const pilot = grpcCluster('xds', { socket_address: { address: '127.0.0.1', port_value: xdsPort } })
  return JSON.stringify({
    node: { id, cluster: 'test', metadata },
    dynamic_resources: {
      ads_config: {
        api_type: 'DELTA_GRPC',
        transport_api_version: 'V3',
        grpc_services: [
          {
            envoy_grpc: { cluster_name: 'xds' },
            ...(tls?.token !== undefined && {
              initial_metadata: [{ key: 'authorization', value: `Bearer ${tls.token}` }],
            }),
          },
        ],
      },
      cds_config: { ads: {}, resource_api_version: 'V3' },
      lds_config: { ads: {}, resource_api_version: 'V3' },
    },
    static_resources: {
      clusters: [
        { ...pilot, ...(tls !== undefined && { transport_socket: pilotSocket(tls) }) },
        ...(agent === undefined ? [] : [grpcCluster('sds-grpc', agent)]),
      ],
    },
  })
}

function grpcCluster(name: string, address: object): object {
  const httpOptions = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  return {
    name,
    type: 'STATIC',
    typed_extension_protocol_options: {
      [httpOptions]: {
        '@type': `type.googleapis.com/${httpOptions}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }] },
  }
}

function pilotSocket({ rootFile, certificate }: PilotTls) {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
      common_tls_context: {
        alpn_protocols: ['h2'],
        validation_context: { trusted_ca: { filename: rootFile } },
        ...(certificate !== undefined && {
          tls_certificates: [
            { certificate_chain: { filename: certificate.certFile }, private_key: { filename: certificate.keyFile } },
          ],
        }),
      },
    },
  }
}

/** `127.x.y`: a block of loopback addresses of one's own, so that runs beside each other do not meet. */
export function loopbackBlock(): string {
  return `127.${20 + randomInt(systemRandom, 200)}.${randomInt(systemRandom, 250)}`
}

export function canConnect(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
