import { once } from 'node:events'
import { connect } from 'node:net'
import { Client, credentials } from '@grpc/grpc-js'
import { parseAllDocuments, stringify } from 'yaml'
import { BookinfoMesh, ROUTE_FILE, workloadFile } from '../../../cli/demo/bookinfo-mesh.ts'
import { workloadYaml } from '../../../cli/demo/config-text.ts'
import { hostPort, type Workload } from '../../../cli/demo/layout.ts'
import { SampleFiles } from '../../../cli/demo/sample-files.ts'
import { SECURITY_FILE } from '../../../cli/demo/who-may-call.ts'
import { callUnary, GrpcEcho } from '../../support/grpc-echo.ts'
import { LineServer } from '../../support/line-server.ts'

const GRPC_PORT = 9090
const TCP_PORT = 9100
/** Injected where v2 of reviews asks ratings. */
export const DELAY_MS = 300
export const UNAVAILABLE = 14
/** What is sent on each connection of TCP; what comes back is a greeting, the same, and `bye`. */
export const LINE = 'x'.repeat(99)
export const LINE_ANSWER_BYTES = 'lines\n'.length + LINE.length + 'bye'.length
export const MESSAGE = Buffer.from('hello')

/** Where the route sends a caller of each name; others go to v1. */
const routeYaml = (timeoutS: number) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ headers: { end-user: { exact: v2 } } }]
      route: [{ destination: { host: reviews, subset: v2 } }]
    - match: [{ headers: { end-user: { exact: broken } } }]
      fault: { abort: { httpStatus: 500, percentage: { value: 100 } } }
      route: [{ destination: { host: reviews, subset: v1 } }]
    - match: [{ headers: { end-user: { exact: nowhere } } }] # Nothing runs v3.
      route: [{ destination: { host: reviews, subset: v3 } }]
    - route: [{ destination: { host: reviews, subset: v1 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratings }
spec:
  hosts: [ratings]
  http:
    - timeout: ${timeoutS}s
      fault: { delay: { fixedDelay: ${DELAY_MS}ms, percentage: { value: 100 } } }
      route: [{ destination: { host: ratings, subset: v1 } }]
`

/** The page may ask reviews by gRPC and TCP too. */
const MORE_ALLOWED = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: reviews-other-ports }
spec:
  selector: { matchLabels: { app: reviews } }
  action: ALLOW
  rules:
    - from: [{ source: { principals: [cluster.local/ns/default/sa/bookinfo-productpage] } }]
      to: [{ operation: { ports: ['${GRPC_PORT}', '${TCP_PORT}'] } }]
`

export type Caller = 'v1' | 'v2' | 'broken' | 'nowhere'

/** Bookinfo with v1 and v2 of reviews, which serve gRPC and TCP too, under calls that are counted by who makes them. */
export class BusyBookinfo {
  readonly mesh: BookinfoMesh
  readonly #grpc = new GrpcEcho()
  readonly #lines = new LineServer('lines')
  #client: Client | undefined

  private constructor(mesh: BookinfoMesh) {
    this.mesh = mesh
  }

  static async start(cli: string): Promise<BusyBookinfo> {
    const samples = new SampleFiles(cli)
    const mesh = await BookinfoMesh.prepare(cli, samples)
    const bookinfo = new BusyBookinfo(mesh)
    const { layout, config } = mesh
    const [grpcPort, linePort] = [await bookinfo.#grpc.listen(), await bookinfo.#lines.listen()]
    await mesh.start()
    await mesh.deploy(layout.reviewsV2)
    const services = await samples.readKinds('bookinfo.yaml', ['Service', 'ServiceAccount'])
    await config.write('bookinfo.yaml', withPorts(services))
    const serving = [port('grpc', 'GRPC', GRPC_PORT, grpcPort), port('tcp', 'TCP', TCP_PORT, linePort)]
    for (const workload of [layout.reviewsV1, layout.reviewsV2]) {
      const more = serving.map((one) => ({ ...one, bind: workload.ip }))
      await config.write(workloadFile(workload), withMore(workload, 'ingress', more))
    }
    const { productpage } = layout
    const asking = serving.map(({ port }) => {
      return { port, bind: productpage.egress.host, captureMode: 'NONE', hosts: ['./*'] }
    })
    await config.write(workloadFile(productpage), withMore(productpage, 'egress', asking))
    await config.write(SECURITY_FILE, (await samples.read(SECURITY_FILE)) + MORE_ALLOWED)
    await config.write('destination-rules.yaml', withOutliers(await samples.read('destination-rules.yaml')))
    await config.write(ROUTE_FILE, routeYaml(10))
    bookinfo.#client = new Client(`${productpage.egress.host}:${GRPC_PORT}`, credentials.createInsecure(), {
      'grpc.default_authority': `reviews:${GRPC_PORT}`,
      'grpc.enable_retries': 0,
    })
    return bookinfo
  }

  /** Asks the gateway for reviews: the code, which version answered, and how long it took in milliseconds. */
  async ask(caller: Caller): Promise<{ status: number; version: string | undefined; ms: number }> {
    const startedMs = performance.now()
    const url = `http://${hostPort(this.mesh.gateway)}/api/v1/products/0/reviews`
    const response = await fetch(url, { headers: { 'end-user': caller } })
    const text = await response.text()
    const ms = performance.now() - startedMs
    return { status: response.status, version: /reviews-(v\d)/.exec(text)?.[1], ms }
  }

  /** One unary call of gRPC; the code that it ended with. */
  async call(fail?: number): Promise<number> {
    const metadata: Record<string, string> = fail === undefined ? {} : { fail: String(fail) }
    return (await callUnary(this.#client as Client, MESSAGE, metadata)).code
  }

  /** One connection of TCP; the number of bytes that came back. */
  async connect(): Promise<number> {
    const socket = connect(TCP_PORT, this.mesh.layout.productpage.egress.host)
    let bytes = 0
    socket.on('data', (data) => {
      bytes += data.length
    })
    socket.end(LINE)
    await once(socket, 'close')
    return bytes
  }

  /** Changes a time-out that is never met, so that there is something to push. */
  changeRoute(timeoutS: number): Promise<void> {
    return this.mesh.config.write(ROUTE_FILE, routeYaml(timeoutS))
  }

  async stop(): Promise<void> {
    this.#client?.close()
    this.#grpc.close()
    await this.mesh.stop()
    this.#lines.close()
  }
}

function port(name: string, protocol: string, number: number, appPort: number) {
  return { port: { name, number, protocol }, captureMode: 'NONE', defaultEndpoint: `127.0.0.1:${appPort}` }
}

// biome-ignore lint/suspicious/noExplicitAny: whatever the YAML holds
function edited(text: string, edit: (object: any) => void): string {
  const objects = parseAllDocuments(text).map((document) => document.toJS())
  for (const object of objects) edit(object)
  return objects.map((object) => stringify(object)).join('---\n')
}

function withMore(workload: Workload, way: 'ingress' | 'egress', more: readonly object[]): string {
  return edited(workloadYaml(workload), ({ kind, spec }) => {
    if (kind === 'Sidecar') spec[way].push(...more)
  })
}

function withPorts(services: string): string {
  return edited(services, ({ kind, metadata, spec }) => {
    if (kind !== 'Service' || metadata.name !== 'reviews') return
    spec.ports.push({ name: 'grpc', port: GRPC_PORT }, { name: 'tcp', port: TCP_PORT })
  })
}

function withOutliers(rules: string): string {
  return edited(rules, ({ spec }) => {
    if (spec.host === 'details') spec.trafficPolicy = { outlierDetection: { consecutive5xxErrors: 5 } }
  })
}
