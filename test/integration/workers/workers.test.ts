import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { MemorySource } from '../../../config/sources/memory.ts'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { bootstrapText, loopbackBlock, Mesh, type Workload } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'

/** A proxy with two worker threads, driven by the pilot: one configuration, one set of numbers, one breaker. */

const WORKERS = 2
const block = loopbackBlock()
const CLIENT = `${block}.10`
const SERVER = `${block}.20`
const ADMIN = 15000
const PORT = 9080
/** So many connections that, evenly spread, no worker gets none but once in 2^39 runs. */
const CONNECTIONS = 40
const MAX_REQUESTS = 4

const client: Workload = { type: 'sidecar', name: 'client', ip: CLIENT, labels: { app: 'client' } }

const rule = (status: number) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: app }
spec:
  hosts: [app]
  http:
  - { match: [ { uri: { exact: /which } } ], directResponse: { status: ${status} } }
  - { route: [ { destination: { host: app } } ] }
`

const MESH = `
apiVersion: v1
kind: Service
metadata: { name: app }
spec: { selector: { app: app }, ports: [ { name: http, port: ${PORT} } ] }
---
apiVersion: v1
kind: Pod
metadata: { name: app, labels: { app: app } }
status: { podIP: ${SERVER} }
---
apiVersion: v1
kind: Pod
metadata: { name: client, labels: { app: client } }
status: { podIP: ${CLIENT} }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: app }
spec: { host: app, trafficPolicy: { connectionPool: { http: { http2MaxRequests: ${MAX_REQUESTS} } } } }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: client }
spec:
  workloadSelector: { labels: { app: client } }
  egress: [ { port: { number: ${PORT}, protocol: HTTP, name: http }, bind: ${CLIENT}, captureMode: NONE, hosts: ["./*"] } ]
`

const source = new MemorySource({ 'mesh.yaml': MESH, 'rule.yaml': rule(218) })
const mesh = new Mesh(source)
const held: ServerResponse[] = []
let upstream: Server
let proxy: ChildProcess
let dir = ''

beforeAll(async () => {
  const cli = builtCli()
  upstream = createServer((request, response) => {
    if (request.url === '/hold') held.push(response)
    else response.end('ok')
  })
  await new Promise<void>((resolve) => upstream.listen(PORT, SERVER, resolve))
  await mesh.start()
  const bootstrap = JSON.parse(bootstrapText(client, mesh.pilot.xdsPort))
  bootstrap.admin = { address: { socket_address: { address: CLIENT, port_value: ADMIN } } }
  dir = mkdtempSync(join(tmpdir(), 'lateen-workers-'))
  writeFileSync(join(dir, 'proxy.json'), JSON.stringify(bootstrap))
  const args = ['proxy', '-c', join(dir, 'proxy.json'), '--workers', String(WORKERS), '--drain-time-s', '0']
  proxy = spawn(process.execPath, [cli, ...args], { stdio: 'ignore' })
  await eventually(async () => expect((await sendRaw(CLIENT, ADMIN, line('GET', '/ready'))).status).toBe(200))
}, 60_000)

afterAll(async () => {
  const exited = new Promise((resolve) => proxy.once('exit', resolve))
  proxy.kill('SIGTERM')
  await exited
  await mesh.stop()
  source.close()
  upstream.close()
  upstream.closeAllConnections()
  rmSync(dir, { recursive: true, force: true })
})

const line = (method: string, path: string) => `${method} ${path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n`

const ask = (path: string) => sendRaw(CLIENT, PORT, line('GET', path))

async function stat(name: string): Promise<number> {
  const { body } = await sendRaw(CLIENT, ADMIN, line('GET', `/stats?filter=${name}`))
  return body
    .split('\n')
    .filter((text) => text.split(':')[0]?.endsWith(name))
    .reduce((sum, text) => sum + Number(text.split(': ')[1]), 0)
}

test('every worker has the configuration, and takes a change of it', async () => {
  const statuses = async () =>
    new Set(await Promise.all(Array.from({ length: CONNECTIONS }, async () => (await ask('/which')).status)))
  expect([...(await statuses())]).toEqual([218])
  source.set('rule.yaml', rule(219))
  await eventually(async () => expect([...(await statuses())]).toEqual([219]))
})

test('the numbers are those of all workers together', async () => {
  const before = await stat('downstream_rq_2xx')
  const cluster = await stat('upstream_rq_2xx')
  // One after the other: the circuit breaker lets few at a time.
  for (let i = 0; i < CONNECTIONS; i++) expect((await ask('/')).status).toBe(200)
  expect((await stat('downstream_rq_2xx')) - before).toBe(CONNECTIONS)
  expect((await stat('upstream_rq_2xx')) - cluster).toBe(CONNECTIONS)
  const { body } = await sendRaw(CLIENT, ADMIN, line('GET', '/clusters'))
  expect(body).toContain(`outbound|${PORT}||app.default.svc.cluster.local::${SERVER}:${PORT}::rq_active::0`)
  expect(await stat('membership_healthy')).toBeGreaterThan(0)
})

test('a circuit breaker counts over all workers', async () => {
  const before = await stat('upstream_rq_pending_overflow')
  const answers = Array.from({ length: CONNECTIONS }, () => ask('/hold'))
  await eventually(async () =>
    expect((await stat('upstream_rq_pending_overflow')) - before).toBe(CONNECTIONS - MAX_REQUESTS),
  )
  expect(held).toHaveLength(MAX_REQUESTS)
  for (const response of held) response.end('ok')
  const statuses = (await Promise.all(answers)).map(({ status }) => status).sort()
  expect(statuses.filter((status) => status === 200)).toHaveLength(MAX_REQUESTS)
  expect(statuses.filter((status) => status === 503)).toHaveLength(CONNECTIONS - MAX_REQUESTS)
  expect(await stat('upstream_rq_active')).toBe(0)
})
