import type { MeshOptions } from '../../../pilot/mesh/options.ts'
import { MeshPair, PLANES, type Plane } from '../../differential/mesh-pair.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { loopbackBlock, type Workload } from '../../support/mesh.ts'
import type { MeshAuthority } from '../../support/mesh-authority.ts'
import { type RawResponse, sendRaw } from '../../support/raw-http.ts'

const APPLICATION_PORT = 8000
export const SERVICE_PORT = 9080
/** What comes here is for the same application, and nobody knows that it is HTTP. */
const BYTES_PORT = 9081
export const MIXER_HOST = 'istio-policy.istio-system.svc.cluster.local'

/** Where proxies find the mixer: an endpoint of its service. */
export interface MixerEndpoint {
  readonly address: string
  readonly port: number
  readonly labels?: Record<string, string>
}

/** A workload of a service twice, behind real Envoy and behind our proxy, whose pilot has them ask this mixer. */
export class PolicedWorkload {
  readonly #block = loopbackBlock()
  readonly #app: string
  readonly #pair: MeshPair
  readonly #upstreams: EchoServer[] = []

  /** `policy` is what the mixer has been given too. */
  constructor(
    app: string,
    mixer: number | MixerEndpoint,
    policy: string,
    options: Partial<MeshOptions> = {},
    authority?: MeshAuthority,
  ) {
    this.#app = app
    const objects = meshOf(app, typeof mixer === 'number' ? { address: '127.0.0.1', port: mixer } : mixer).map(
      (object) => JSON.stringify(object),
    )
    this.#pair = new MeshPair(`${objects.join('\n---\n')}\n---\n${policy}`, authority, {
      mixerCheckServer: `${MIXER_HOST}:9091`,
      ...options,
    })
  }

  /** Another proxy of ours in the same mesh; it comes once this one's pilot runs. */
  addProxy(workload: Workload): Promise<void> {
    return this.#pair.addProxy(workload)
  }

  async start(envoy: string | undefined): Promise<void> {
    for (const plane of PLANES) {
      const upstream = new EchoServer('app')
      await upstream.listen(APPLICATION_PORT, this.ip(plane))
      this.#upstreams.push(upstream)
    }
    const workload = (plane: Plane) => ({
      type: 'sidecar' as const,
      name: `${this.#app}-${plane}`,
      ip: this.ip(plane),
      labels: { app: this.#app, version: 'v1' },
    })
    await this.#pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, SERVICE_PORT)
  }

  ip(plane: Plane): string {
    return `${this.#block}.${plane === 'envoy' ? 1 : 2}`
  }

  /** `from`: the address of who calls. */
  send(plane: Plane, fields: readonly string[] = [], from?: string): Promise<RawResponse> {
    const lines = ['GET / HTTP/1.1', 'host: app', 'connection: close', ...fields]
    return sendRaw(this.ip(plane), SERVICE_PORT, `${lines.join('\r\n')}\r\n\r\n`, from)
  }

  /** The same as bytes, which the proxy does not look into. */
  pass(plane: Plane): Promise<RawResponse> {
    return sendRaw(this.ip(plane), BYTES_PORT, 'GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n')
  }

  /** Of our proxy. */
  metric(name: string): number {
    return this.#pair.metric(name)
  }

  async stop(): Promise<void> {
    await this.#pair.stop()
    for (const upstream of this.#upstreams) upstream.close()
  }
}

const PORTS = [
  { number: SERVICE_PORT, name: 'http', protocol: 'HTTP' },
  { number: BYTES_PORT, name: 'tcp', protocol: 'TCP' },
]

function meshOf(app: string, { address, port, labels = {} }: MixerEndpoint): object[] {
  const networking = (kind: string, name: string, spec: object) => ({
    apiVersion: 'networking.istio.io/v1',
    kind,
    metadata: { name },
    spec,
  })
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: app },
      spec: { selector: { app }, ports: PORTS.map(({ number: port, name }) => ({ name, port })) },
    },
    networking('Sidecar', 'app', {
      ingress: PORTS.map((port) => ({
        port,
        defaultEndpoint: `0.0.0.0:${APPLICATION_PORT}`,
        captureMode: 'NONE',
      })),
      egress: [{ hosts: ['~/*'] }],
    }),
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { name: 'mixer', namespace: 'istio-system' },
      spec: {
        hosts: [MIXER_HOST],
        ports: [{ number: 9091, name: 'grpc-mixer', protocol: 'GRPC', targetPort: port }],
        location: 'MESH_INTERNAL',
        resolution: 'STATIC',
        workloadSelector: { labels: { app: 'policy' } },
      },
    },
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadEntry',
      metadata: { name: 'mixer', namespace: 'istio-system' },
      spec: { address, labels: { app: 'policy', ...labels }, serviceAccount: 'default' },
    },
  ]
}
