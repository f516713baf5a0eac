import { EchoServer } from '../../support/echo-server.ts'
import { loopbackBlock, type Workload } from '../../support/mesh.ts'
import { type RawResponse, sendRaw } from '../../support/raw-http.ts'
import { MeshPair, PLANES, type Plane } from '../mesh-pair.ts'

const APPLICATION_PORT = 8000

/** The same workload twice, behind real Envoy and behind our proxy, called at these ports. */
export class LimitedWorkload {
  readonly ports: readonly number[]
  readonly #block = loopbackBlock()
  readonly #pair: MeshPair
  readonly #upstreams: EchoServer[] = []

  constructor(ports: readonly number[], configuration: string) {
    this.ports = ports
    this.#pair = new MeshPair(`${this.#workloads()}---${configuration}`)
    const errors = this.#pair.source.current().findings.filter(({ severity }) => severity === 'error')
    if (errors.length > 0) throw new Error(JSON.stringify(errors))
  }

  get findings() {
    return this.#pair.source.current().findings
  }

  async start(envoy: string | undefined): Promise<void> {
    for (const plane of PLANES) {
      const upstream = new EchoServer('app')
      await upstream.listen(APPLICATION_PORT, this.#ip(plane))
      this.#upstreams.push(upstream)
    }
    const workload = (plane: Plane): Workload => ({
      type: 'sidecar',
      name: plane,
      ip: this.#ip(plane),
      labels: { app: 'productpage' },
    })
    await this.#pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, this.ports.at(-1) as number)
  }

  send(
    plane: Plane,
    port: number,
    path = '/',
    headers: Readonly<Record<string, string>> = {},
    method = 'GET',
  ): Promise<RawResponse> {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const text = `${method} ${path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n${lines.join('')}\r\n`
    return sendRaw(this.#ip(plane), port, text)
  }

  async stop(): Promise<void> {
    await this.#pair.stop()
    for (const upstream of this.#upstreams) upstream.close()
  }

  #ip(plane: Plane): string {
    return `${this.#block}.${plane === 'envoy' ? 1 : 2}`
  }

  #workloads(): string {
    const ingress = this.ports.map((number) => ({
      port: { number, name: 'http', protocol: 'HTTP' },
      defaultEndpoint: `0.0.0.0:${APPLICATION_PORT}`,
      captureMode: 'NONE',
    }))
    const sidecar = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'Sidecar',
      metadata: { name: 'app' },
      spec: { ingress, egress: [{ hosts: ['~/*'] }] },
    }
    return `${JSON.stringify(sidecar)}\n`
  }
}
