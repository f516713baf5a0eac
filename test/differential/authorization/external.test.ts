import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { TestCa } from '../../support/certificates.ts'
import { EnvoyProcess } from '../../support/envoy-process.ts'
import { eventually } from '../../support/eventually.ts'
import { canConnect, loopbackBlock } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster } from '../../support/static-resources.ts'
import { meshSecrets, PolicedWorkloads } from './workloads.ts'

/** Real Envoy takes external authorization as our pilot writes it, and asks about those calls that the rules mean. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const HOST = `${loopbackBlock()}.1`
const [ASKED, DEAF, UNKNOWN, BYTES, BYTES_BY_HTTP] = [23_100, 23_101, 23_102, 23_103, 23_104]
const custom = (provider: string, rule: object = {}) => ({
  action: 'CUSTOM',
  provider: { name: provider },
  rules: [rule],
})
const pay = { to: [{ operation: { paths: ['/pay/*'] } }] }
const http = { service: 'authz.a.svc.cluster.local', port: 8000, includeRequestHeadersInCheck: ['x-ok'] }
const extensionProviders = [
  { name: 'by-http', envoyExtAuthzHttp: { ...http, pathPrefix: '/check', headersToUpstreamOnAllow: ['x-role'] } },
  { name: 'deaf', envoyExtAuthzHttp: { ...http, port: 8001, failOpen: false, statusOnError: '503' } },
  { name: 'by-grpc', envoyExtAuthzGrpc: { service: 'authz.a.svc.cluster.local', port: 8001, failOpen: true } },
]
const mesh = new PolicedWorkloads(
  [
    { name: 'asked', port: ASKED, protocol: 'HTTP', policies: [custom('by-http', pay)] },
    { name: 'deaf', port: DEAF, protocol: 'HTTP', policies: [custom('deaf', pay)] },
    { name: 'unknown', port: UNKNOWN, protocol: 'HTTP', policies: [custom('nobody', pay)] },
    { name: 'bytes', port: BYTES, protocol: 'TCP', policies: [custom('by-grpc')] },
    { name: 'bytes-http', port: BYTES_BY_HTTP, protocol: 'TCP', policies: [custom('by-http')] },
  ],
  { extensionProviders },
)
const ca = new TestCa('root')
const dir = mkdtempSync(join(tmpdir(), 'lateen-external-'))
const asked: string[] = []
const authorizer = createServer((request, response) => {
  asked.push(`${request.url}`)
  response.writeHead(request.headers['x-ok'] === 'yes' ? 200 : 401, { 'x-role': 'payer' }).end()
})
const upstream = createServer((request, response) => response.end(String(request.headers['x-role'] ?? 'nobody')))
let running: EnvoyProcess | undefined

const listen = (server: Server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const portOf = (server: Server) => (server.address() as AddressInfo).port

beforeAll(async () => {
  if (envoy === undefined) return
  await Promise.all([listen(authorizer), listen(upstream)])
  const clusters = [
    ...mesh.clusters(portOf(upstream)),
    cluster('outbound|8000||authz.a.svc.cluster.local', [portOf(authorizer)]),
    cluster('outbound|8001||authz.a.svc.cluster.local', [1]),
  ]
  const secrets = meshSecrets(ca.issue('server'), ca.certFile)
  const file = join(dir, 'envoy.json')
  const static_resources = { listeners: mesh.listeners(HOST), clusters, secrets }
  writeFileSync(file, JSON.stringify({ node: { id: 'n', cluster: 'c' }, static_resources }))
  const process = new EnvoyProcess(envoy, file)
  running = process
  await eventually(() => canConnect(HOST, BYTES_BY_HTTP), 30_000).catch((thrown) => {
    throw new Error(`envoy does not listen: ${thrown}\n${process.log}`)
  })
}, 60_000)

afterAll(async () => {
  await running?.stop()
  for (const server of [authorizer, upstream]) {
    server.closeAllConnections()
    server.close()
  }
  mesh.close()
  ca.remove()
  rmSync(dir, { recursive: true, force: true })
}, 20_000)

const ask = (port: number, path: string, header = 'x-ok: no') =>
  sendRaw(HOST, port, `GET ${path} HTTP/1.1\r\nHost: h\r\n${header}\r\nConnection: close\r\n\r\n`)

withEnvoy('the calls that the rules mean are asked about, and no others', async () => {
  expect(await ask(ASKED, '/free')).toMatchObject({ status: 200, body: 'nobody' })
  expect(asked).toEqual([])
  expect((await ask(ASKED, '/pay/1')).status).toBe(401)
  expect(await ask(ASKED, '/pay/1', 'x-ok: yes')).toMatchObject({ status: 200, body: 'payer' })
  expect(asked).toEqual(['/check/pay/1', '/check/pay/1'])
})

withEnvoy('an authorizer that cannot be asked, or is not known, allows nothing', async () => {
  expect((await ask(DEAF, '/free')).status).toBe(200)
  expect((await ask(DEAF, '/pay/1')).status).toBe(503)
  expect(await ask(UNKNOWN, '/free')).toMatchObject({ status: 403, body: 'RBAC: access denied' })
  await expect(ask(BYTES_BY_HTTP, '/free')).rejects.toThrow()
  // This one may fail open.
  expect((await ask(BYTES, '/free')).status).toBe(200)
})
