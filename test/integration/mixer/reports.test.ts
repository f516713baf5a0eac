import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { EnvoyProcess } from '../../support/envoy-process.ts'
import { eventually } from '../../support/eventually.ts'
import { canConnect, loopbackBlock } from '../../support/mesh.ts'
import { MixerProcess } from '../../support/mixer-process.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP2, tcpChain, typed } from '../../support/static-resources.ts'

/** What real Envoy reports of requests and connections, counted by our mixer. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const HTTP_PORT = 7793
const TCP_PORT = 7794
const UPSTREAM_PORT = 7795
const BYTES_PORT = 7796
const host = `${loopbackBlock()}.1`

const policy = (kind: string, name: string, spec: object) =>
  JSON.stringify({
    apiVersion: 'config.istio.io/v1alpha2',
    kind,
    metadata: { name, namespace: 'istio-system' },
    spec,
  })
const metric = (value: string, dimensions: Record<string, string>) => ({
  compiledTemplate: 'metric',
  params: { value, dimensions },
})
const HTTP_LABELS = {
  reporter: 'context.reporter.kind | "none"',
  source_workload: 'source.workload.name | "none"',
  destination_service: 'destination.service.host | "none"',
  method: 'request.method | "none"',
  path: 'request.url_path | "none"',
  tenant: 'request.headers["x-tenant"] | "none"',
  code: 'response.code | 0',
}
const CONFIG = [
  policy('instance', 'requests', metric('1', HTTP_LABELS)),
  policy('instance', 'sizes', metric('response.size | 0', {})),
  policy('instance', 'received', metric('connection.received.bytes', {})),
  policy('instance', 'sent', metric('connection.sent.bytes', {})),
  policy('instance', 'closed', metric('1', { reporter: 'context.reporter.kind' })),
  policy('handler', 'prometheus', {
    compiledAdapter: 'prometheus',
    params: {
      metrics: [
        ['requests', Object.keys(HTTP_LABELS)],
        ['sizes', []],
        ['received', []],
        ['sent', []],
        ['closed', ['reporter']],
      ].map(([name, labelNames]) => ({
        instanceName: `${name}.instance.istio-system`,
        name,
        namespace: '',
        kind: 'COUNTER',
        labelNames,
      })),
    },
  }),
  policy('rule', 'http', {
    match: 'context.protocol == "http"',
    actions: [{ handler: 'prometheus', instances: ['requests', 'sizes'] }],
  }),
  policy('rule', 'tcp', {
    match: 'context.protocol == "tcp"',
    actions: [{ handler: 'prometheus', instances: ['received', 'sent'] }],
  }),
  policy('rule', 'closed', {
    match: '(connection.event | "none") == "close"',
    actions: [{ handler: 'prometheus', instances: ['closed'] }],
  }),
].join('\n---\n')

const mixer = new MixerProcess({ 'config.yaml': CONFIG })
const upstream = new EchoServer('up')
const dir = mkdtempSync(join(tmpdir(), 'lateen-reports-'))
let bytes: Server
let running: EnvoyProcess | undefined

const REVIEWS = 'outbound|9080||reviews.default.svc.cluster.local'
const MONGO = 'inbound|27017||mongo.default.svc.cluster.local'

function bootstrap(mixerPort: number): object {
  const log = (type: string, fields: object = {}) => [
    {
      name: 'grpc',
      typed_config: typed(`access_loggers.grpc.v3.${type}GrpcAccessLogConfig`, {
        common_config: {
          log_name: 'mixer',
          grpc_service: { envoy_grpc: { cluster_name: 'mixer' } },
          transport_api_version: 'V3',
          buffer_flush_interval: '0.1s',
        },
        ...fields,
      }),
    },
  ]
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    access_log: log('Http', { additional_request_headers_to_log: ['x-tenant'] }),
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: {
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { prefix: '/no' }, direct_response: { status: 404 } },
            { match: { prefix: '/' }, route: { cluster: REVIEWS } },
          ],
        },
      ],
    },
  })
  const address = (port_value: number) => ({ socket_address: { address: host, port_value } })
  return {
    node: {
      id: `sidecar~${host}~productpage-1.default~default.svc.cluster.local`,
      cluster: 'productpage.default',
      metadata: { WORKLOAD_NAME: 'productpage-v1' },
    },
    static_resources: {
      listeners: [
        {
          name: 'http',
          address: address(HTTP_PORT),
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        },
        {
          name: 'tcp',
          address: address(TCP_PORT),
          filter_chains: [tcpChain(MONGO, {}, { access_log: log('Tcp') })],
        },
      ],
      clusters: [cluster(REVIEWS, [UPSTREAM_PORT]), cluster(MONGO, [BYTES_PORT]), cluster('mixer', [mixerPort], HTTP2)],
    },
  }
}

beforeAll(async () => {
  if (envoy === undefined) return
  await upstream.listen(UPSTREAM_PORT, '127.0.0.1')
  bytes = createServer((socket) => socket.on('data', () => socket.end('seven b')))
  await new Promise<void>((resolve) => bytes.listen(BYTES_PORT, '127.0.0.1', resolve))
  const file = join(dir, 'envoy.json')
  writeFileSync(file, JSON.stringify(bootstrap(await mixer.listen())))
  const process = new EnvoyProcess(envoy, file)
  running = process
  await eventually(() => canConnect(host, HTTP_PORT), 30_000).catch((thrown) => {
    throw new Error(`${thrown}\n${process.log}`)
  })
}, 60_000)

afterAll(async () => {
  await running?.stop()
  upstream.close()
  bytes?.close()
  await mixer.close()
  rmSync(dir, { recursive: true, force: true })
}, 20_000)

async function scraped(): Promise<string> {
  const pages = await Promise.all(mixer.mixer.handlers.map((handler) => handler.exposition?.() ?? ''))
  return pages.join('')
}

withEnvoy(
  'requests, by their labels, each counted once',
  async () => {
    const get = (path: string, ...fields: string[]) =>
      sendRaw(host, HTTP_PORT, [`GET ${path} HTTP/1.1`, 'host: a', 'connection: close', ...fields, '', ''].join('\r\n'))
    let bodyBytes = 0
    for (let i = 0; i < 3; i++) bodyBytes += (await get('/a?b=c', 'x-tenant: t')).body.length
    await get('/no')
    const labels = (service: string, path: string, tenant: string, code: number, reporter: string, workload: string) =>
      `{reporter="${reporter}",source_workload="${workload}",destination_service="${service}",method="GET",path="${path}",tenant="${tenant}",code="${code}"}`
    await eventually(async () => {
      const text = await scraped()
      const reviews = 'reviews.default.svc.cluster.local'
      expect(text).toContain(`requests${labels(reviews, '/a', 't', 200, 'outbound', 'productpage-v1')} 3\n`)
      // Nobody was called.
      expect(text).toContain(`requests${labels('none', '/no', 'none', 404, 'inbound', 'none')} 1\n`)
      expect(text).toContain(`sizes ${bodyBytes}\n`)
    })
  },
  30_000,
)

withEnvoy(
  'connections, by what went over them',
  async () => {
    for (let i = 0; i < 2; i++) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(TCP_PORT, host, () => socket.write('hello'))
        socket.on('data', () => {})
        socket.on('error', reject)
        socket.on('close', () => resolve())
      })
    }
    await eventually(async () => {
      const text = await scraped()
      expect(text).toContain('closed{reporter="inbound"} 2\n')
      expect(text).toContain('received 10\n')
      expect(text).toContain('sent 14\n')
    })
  },
  30_000,
)
