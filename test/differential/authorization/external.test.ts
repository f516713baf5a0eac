import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { DEFAULT_MESH_OPTIONS, type MeshOptions } from '../../../pilot/mesh/options.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { GrpcAuthorizationServer, HttpAuthorizationServer } from '../../support/authorization-server.ts'
import { type Issued, TestCa } from '../../support/certificates.ts'
import { EchoServer, echoOf } from '../../support/echo-server.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP2 } from '../../support/static-resources.ts'
import { outcomeOf } from '../outcome.ts'
import { StaticPair } from '../static-pair.ts'
import { meshSecrets, type PolicedWorkload, PolicedWorkloads } from './workloads.ts'

/** CUSTOM policies as our pilot writes them, on real Envoy and on our proxy: who is asked about, and what becomes of the call. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const FIRST_PORT = 23_100
const custom = (provider: string, rule: object = {}) => ({
  action: 'CUSTOM',
  provider: { name: provider },
  rules: [rule],
})
const pay = { to: [{ operation: { paths: ['/pay/*'] } }] }
const admin = { to: [{ operation: { paths: ['/admin/*'] } }] }
const POLICIES = {
  'by-http': [custom('by-http', pay)],
  'by-grpc': [custom('by-grpc', pay)],
  /** Two policies of one server: either means a call. */
  several: [custom('by-grpc', pay), custom('by-grpc', admin)],
  /** What the server allows the mesh's own rules still deny. */
  'and-rules': [custom('by-grpc', pay), { action: 'DENY', rules: [{ to: [{ operation: { methods: ['DELETE'] } }] }] }],
  hasty: [custom('hasty', pay)],
  'hasty-open': [custom('hasty-open', pay)],
  down: [custom('down', pay)],
  'down-open': [custom('down-open', pay)],
  'down-http': [custom('down-http', pay)],
  'down-http-open': [custom('down-http-open', pay)],
  unknown: [custom('nobody', pay)],
  'one-unknown': [custom('by-grpc', pay), custom('nobody', admin)],
  /** The caller is whom its certificate names: here nobody. */
  strangers: [custom('by-grpc', { from: [{ source: { notPrincipals: ['*'] } }] })],
} as const
const TCP_POLICIES = {
  bytes: [custom('by-grpc')],
  'bytes-elsewhere': [custom('by-grpc', { to: [{ operation: { ports: ['1'] } }] })],
  'bytes-hasty': [custom('hasty')],
  'bytes-down': [custom('down')],
  'bytes-down-open': [custom('down-open')],
  'bytes-http': [custom('by-http')],
  'bytes-unknown': [custom('nobody')],
} as const
type Name = keyof typeof POLICIES
type TcpName = keyof typeof TCP_POLICIES

/** What a sidecar offers. */
const ALPN = ['istio-http/1.1', 'istio', 'http/1.1']

const NAMES = [...Object.keys(POLICIES), ...Object.keys(TCP_POLICIES)] as (Name | TcpName)[]
const portOf = (name: Name | TcpName) => FIRST_PORT + NAMES.indexOf(name)

const service = 'authz.a.svc.cluster.local'
const [BY_HTTP, BY_GRPC, DOWN] = [8000, 8001, 8002]
const http = {
  service,
  port: BY_HTTP,
  timeout: '5s',
  includeRequestHeadersInCheck: ['x-case'],
  includeAdditionalHeadersInCheck: { 'x-mesh': 'lateen' },
}
const grpc = { service, port: BY_GRPC, timeout: '5s' }
const extensionProviders = [
  {
    name: 'by-http',
    envoyExtAuthzHttp: {
      ...http,
      pathPrefix: '/check',
      headersToUpstreamOnAllow: ['x-user', 'x-m*'],
      headersToDownstreamOnDeny: ['x-reason', '*kind'],
      headersToDownstreamOnAllow: ['x-checked'],
    },
  },
  { name: 'by-grpc', envoyExtAuthzGrpc: grpc },
  { name: 'hasty', envoyExtAuthzGrpc: { ...grpc, timeout: '0.2s', statusOnError: '504' } },
  { name: 'hasty-open', envoyExtAuthzGrpc: { ...grpc, timeout: '0.2s', failOpen: true } },
  { name: 'down', envoyExtAuthzGrpc: { ...grpc, port: DOWN, statusOnError: '503' } },
  { name: 'down-open', envoyExtAuthzGrpc: { ...grpc, port: DOWN, failOpen: true } },
  { name: 'down-http', envoyExtAuthzHttp: { ...http, port: DOWN } },
  { name: 'down-http-open', envoyExtAuthzHttp: { ...http, port: DOWN, failOpen: true } },
] satisfies MeshOptions['extensionProviders']

const mesh = new PolicedWorkloads([...workloadsOf(POLICIES, 'HTTP'), ...workloadsOf(TCP_POLICIES, 'TCP')], {
  ...DEFAULT_MESH_OPTIONS,
  extensionProviders,
})
const ca = new TestCa('root')
const pair = new StaticPair()
const byHttp = new HttpAuthorizationServer()
const byGrpc = new GrpcAuthorizationServer()
const upstream = new EchoServer('up')
const UPSTREAM_PORT = 7697

function workloadsOf(
  policies: Readonly<Record<string, PolicedWorkload['policies']>>,
  protocol: PolicedWorkload['protocol'],
): PolicedWorkload[] {
  return Object.entries(policies).map(([name, own]) => ({
    name,
    port: portOf(name as Name),
    protocol,
    policies: own,
  }))
}

beforeAll(async () => {
  if (envoy === undefined) return
  await upstream.listen(UPSTREAM_PORT, '127.0.0.1')
  const clusters = [
    ...mesh.clusters(UPSTREAM_PORT),
    cluster(`outbound|${BY_HTTP}||${service}`, [await byHttp.listen()]),
    cluster(`outbound|${BY_GRPC}||${service}`, [await byGrpc.listen()], HTTP2),
    cluster(`outbound|${DOWN}||${service}`, [1], HTTP2),
  ]
  const secrets = meshSecrets(
    ca.issue('server', { altNames: ['URI:spiffe://cluster.local/ns/a/sa/server'] }),
    ca.certFile,
  )
  await pair.start(envoy, NAMES.map(portOf), (address) => mesh.listeners(address), clusters, secrets)
}, 90_000)

afterAll(async () => {
  upstream.close()
  byHttp.close()
  byGrpc.close()
  await pair.stop()
  mesh.close()
  ca.remove()
}, 20_000)

beforeEach(() => {
  byGrpc.connectionAnswer = { status: { code: 0 } }
})

/** What became of a call, and what the servers were told of it. */
async function ask(host: string, name: Name, path: string, answer: string, method = 'GET') {
  const [toldBefore, httpBefore] = [byGrpc.told.length, byHttp.told.length]
  const lines = [`${method} ${path} HTTP/1.1`, 'host: shop.test', 'connection: close', `x-case: ${answer}`]
  lines.push('x-more: a', 'x-secret: s', 'x-checked: no')
  const outcome = outcomeOf(await sendRaw(host, portOf(name), `${lines.join('\r\n')}\r\n\r\n`))
  const told = [...byGrpc.told.slice(toldBefore), ...byHttp.told.slice(httpBefore)]
  return {
    ...outcome,
    told: told.map((one) => ({ ...one, headers: { case: one.headers['x-case'], mesh: one.headers['x-mesh'] } })),
  }
}

withEnvoy.each<[Name, string, string, { status: number; asked: number; method?: string }]>([
  ['by-http', '/free', 'denied', { status: 200, asked: 0 }],
  ['by-http', '/pay/1?a=b', 'ok', { status: 200, asked: 1 }],
  ['by-http', '/pay/1', 'fields', { status: 200, asked: 1 }],
  ['by-http', '/pay/1', 'denied', { status: 403, asked: 1 }],
  ['by-http', '/pay/1', 'told', { status: 302, asked: 1 }],
  ['by-http', '/pay/1', 'error', { status: 403, asked: 1 }],
  ['by-grpc', '/free', 'denied', { status: 200, asked: 0 }],
  ['by-grpc', '/pay/1?a=b', 'ok', { status: 200, asked: 1 }],
  ['by-grpc', '/pay/1', 'fields', { status: 200, asked: 1 }],
  ['by-grpc', '/pay/1', 'answered', { status: 200, asked: 1 }],
  ['by-grpc', '/pay/1?x=1', 'query', { status: 200, asked: 1 }],
  ['by-grpc', '/pay/1', 'denied', { status: 403, asked: 1 }],
  ['by-grpc', '/pay/1', 'told', { status: 401, asked: 1 }],
  ['by-grpc', '/pay/1', 'error', { status: 403, asked: 1 }],
  ['several', '/pay/1', 'denied', { status: 403, asked: 1 }],
  ['several', '/admin/1', 'denied', { status: 403, asked: 1 }],
  ['several', '/free', 'denied', { status: 200, asked: 0 }],
  ['and-rules', '/pay/1', 'ok', { status: 403, asked: 1, method: 'DELETE' }],
  ['and-rules', '/pay/1', 'ok', { status: 200, asked: 1 }],
  ['hasty', '/pay/1', 'silence', { status: 504, asked: 1 }],
  ['hasty', '/pay/1', 'error', { status: 504, asked: 1 }],
  ['hasty-open', '/pay/1', 'silence', { status: 200, asked: 1 }],
  ['hasty-open', '/pay/1', 'denied', { status: 403, asked: 1 }],
  ['down', '/pay/1', 'ok', { status: 503, asked: 0 }],
  ['down', '/free', 'ok', { status: 200, asked: 0 }],
  ['down-open', '/pay/1', 'ok', { status: 200, asked: 0 }],
  ['down-http', '/pay/1', 'ok', { status: 403, asked: 0 }],
  ['down-http-open', '/pay/1', 'ok', { status: 200, asked: 0 }],
  ['unknown', '/free', 'ok', { status: 403, asked: 0 }],
  ['one-unknown', '/pay/1', 'ok', { status: 403, asked: 1 }],
  ['strangers', '/free', 'denied', { status: 403, asked: 1 }],
])('%s: %s, of which the server says %s', async (name, path, answer, { status, asked, method }) => {
  const theirs = await ask(pair.hosts.envoy, name, path, answer, method)
  expect([theirs.status, theirs.told.length]).toEqual([status, asked])
  expect(await ask(pair.hosts.lateen, name, path, answer, method)).toEqual(theirs)
})

/** By mutual TLS; what comes back is of no interest. */
function sendAs(host: string, name: Name | TcpName, { cert, key }: Issued, path: string): Promise<void> {
  return new Promise((resolve) => {
    const options = { host, port: portOf(name), cert, key, rejectUnauthorized: false, ALPNProtocols: ALPN }
    const socket = connectTls(options, () => socket.write(`GET ${path} HTTP/1.1\r\nhost: h\r\nx-case: ok\r\n\r\n`))
    socket.on('error', () => {})
    socket.once('data', () => socket.destroy())
    socket.once('close', () => resolve())
  })
}

withEnvoy('a caller by mutual TLS is named to the server, over HTTP and for bytes', async () => {
  const web = ca.issue('web', { altNames: ['URI:spiffe://cluster.local/ns/a/sa/web'] })
  for (const host of [pair.hosts.envoy, pair.hosts.lateen]) {
    const [calls, connections] = [byGrpc.principals.length, byGrpc.connections.length]
    await sendAs(host, 'by-grpc', web, '/pay/1')
    await sendAs(host, 'bytes', web, '/')
    const named = ['spiffe://cluster.local/ns/a/sa/web spiffe://cluster.local/ns/a/sa/server']
    expect([host, byGrpc.principals.slice(calls)]).toEqual([host, named])
    expect([host, byGrpc.connections.slice(connections).map(({ principals }) => principals)]).toEqual([host, named])
  }
})

/** Bytes that happen to be a request; 'closed' where nobody answers. */
async function send(host: string, name: TcpName): Promise<string> {
  const answer = await sendRaw(host, portOf(name), 'GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n').catch(
    () => undefined,
  )
  return answer === undefined ? 'closed' : (echoOf(answer)?.server ?? 'closed')
}

withEnvoy.each<[TcpName, 'ok' | 'denied' | 'error' | 'silence', string, number]>([
  ['bytes', 'ok', 'up', 1],
  ['bytes', 'denied', 'closed', 1],
  ['bytes', 'error', 'closed', 1],
  ['bytes-elsewhere', 'denied', 'up', 0],
  ['bytes-hasty', 'silence', 'closed', 1],
  ['bytes-down', 'ok', 'closed', 0],
  ['bytes-down-open', 'denied', 'up', 0],
  ['bytes-http', 'ok', 'closed', 0],
  ['bytes-unknown', 'ok', 'closed', 0],
])('%s: a connection of which the server says %s is %s', async (name, answer, outcome, asked) => {
  byGrpc.connectionAnswer =
    answer === 'ok' || answer === 'denied' ? { status: { code: answer === 'ok' ? 0 : 7 } } : answer
  for (const host of [pair.hosts.envoy, pair.hosts.lateen]) {
    const before = byGrpc.connections.length
    expect([host, await send(host, name), byGrpc.connections.length - before]).toEqual([host, outcome, asked])
  }
})
