import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { MemorySource } from '../../../config/sources/memory.ts'
import { silentLogger } from '../../../lib/log.ts'
import { Pilot } from '../../../pilot/pilot.ts'
import { Agent } from '../../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../../proxy/agent/bootstrap.ts'
import { eventually } from '../../support/eventually.ts'
import { bootstrapText, canConnect, loopbackBlock } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'

/** One pilot signs, says who is called how, and to whom; two proxies do the rest. */

const block = loopbackBlock()
const CLIENT = `${block}.11`
const RATINGS = `${block}.21`
const PORT = 9080
const folder = mkdtempSync(join(tmpdir(), 'lateen-mesh-'))
const file = (name: string) => join(folder, name)

let app: Server
let source: MemorySource
let pilot: Pilot
const agents: Agent[] = []

beforeAll(async () => {
  mkdirSync(file('tokens/default'), { recursive: true })
  for (const account of ['reviews', 'ratings']) {
    writeFileSync(file(`tokens/default/${account}`), randomBytes(32).toString('base64'))
  }
  app = createServer((request, response) => response.end(String(request.headers['x-forwarded-client-cert'] ?? 'plain')))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  source = new MemorySource({
    'workloads.yaml': workloads('ratings'),
    'mode.yaml': peerAuthentication('STRICT'),
    'rule.yaml': destinationRule('ISTIO_MUTUAL'),
  })
  pilot = new Pilot({
    source,
    xdsAddress: '127.0.0.1:0',
    httpAddress: '127.0.0.1:0',
    log: silentLogger,
    debounceMs: 5,
    mesh: { accessLogFile: file('calls') },
    ca: {
      address: '127.0.0.1:0',
      dir: file('ca'),
      trustDomain: 'cluster.local',
      serverNames: ['127.0.0.1'],
      tokensDir: file('tokens'),
      serviceAccounts: undefined,
    },
  })
  await pilot.start()
  await startAgent('ratings', RATINGS)
  await startAgent('reviews', CLIENT)
  for (const address of [CLIENT, RATINGS]) await eventually(() => canConnect(address, PORT))
}, 60_000)

afterAll(async () => {
  for (const agent of agents) await agent.stop(0)
  await pilot.close()
  source.close()
  app.close()
  rmSync(folder, { recursive: true })
})

async function startAgent(account: string, ip: string): Promise<void> {
  const workload = { type: 'sidecar' as const, name: `${account}-1`, ip, labels: { app: account } }
  const agent = new Agent(parseBootstrap(bootstrapText(workload, pilot.xdsPort), account), account, {
    log: silentLogger,
    identity: {
      caAddress: `127.0.0.1:${pilot.caPort}`,
      caRootFile: file('ca/root-cert.pem'),
      tokenFile: file(`tokens/default/${account}`),
      lifeSeconds: 3600,
    },
  })
  agents.push(agent)
  await agent.start()
}

const request = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
const throughClient = () => sendRaw(CLIENT, PORT, request('ratings'))
/** As somebody who is not of the mesh calls. */
const inPlainText = () => sendRaw(RATINGS, PORT, request('ratings'))

const MUTUAL =
  /^By=spiffe:\/\/cluster\.local\/ns\/default\/sa\/ratings;Hash=[0-9a-f]{64};Subject="";URI=spiffe:\/\/cluster\.local\/ns\/default\/sa\/reviews$/

test('a call goes by mutual TLS, and its application is told of whom it comes', async () => {
  await eventually(async () => expect(await throughClient()).toMatchObject({ status: 200 }))
  expect((await throughClient()).body).toMatch(MUTUAL)
})

test('where mutual TLS is a must, plain text is not answered, and the log says so', async () => {
  await expect(inPlainText()).rejects.toThrow()
  const line = `"- - -" 0 NR filter_chain_not_found - "-" 0 0 \\d+ - .* ${RATINGS}:${PORT} `
  await eventually(() => expect(readFileSync(file('calls'), 'utf8')).toMatch(new RegExp(line)))
})

test('where it is not, both are', async () => {
  source.set('mode.yaml', peerAuthentication('PERMISSIVE'))
  await eventually(async () => expect((await inPlainText()).body).toBe('plain'))
  expect((await throughClient()).body).toMatch(MUTUAL)
})

test('a client that is told so speaks plain text', async () => {
  source.set('rule.yaml', destinationRule('DISABLE'))
  await eventually(async () => expect((await throughClient()).body).toBe('plain'))
  source.set('rule.yaml', destinationRule('ISTIO_MUTUAL'))
  await eventually(async () => expect((await throughClient()).body).toMatch(MUTUAL))
})

test('who answers in the place of another is refused', async () => {
  // The workload is said to be another than the one whose token it has.
  source.set('workloads.yaml', workloads('somebody-else'))
  await eventually(async () => expect((await throughClient()).status).toBe(503))
  source.set('workloads.yaml', workloads('ratings'))
  await eventually(async () => expect((await throughClient()).status).toBe(200))
})

test('and back: plain text is refused again', async () => {
  source.set('mode.yaml', peerAuthentication('STRICT'))
  await eventually(() => expect(inPlainText()).rejects.toThrow())
  expect((await throughClient()).body).toMatch(MUTUAL)
})

function peerAuthentication(mode: string): string {
  return `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: ${mode} } }
`
}

function destinationRule(mode: string): string {
  return `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ratings }
spec: { host: ratings, trafficPolicy: { tls: { mode: ${mode} } } }
`
}

function workloads(account: string): string {
  const { port } = app.address() as AddressInfo
  return `apiVersion: v1
kind: Service
metadata: { name: ratings }
spec: { selector: { app: ratings }, ports: [{ name: http, port: ${PORT} }] }
---
apiVersion: v1
kind: Pod
metadata: { name: ratings-1, labels: { app: ratings } }
spec: { serviceAccountName: ${account} }
status: { podIP: ${RATINGS} }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ratings }
spec:
  workloadSelector: { labels: { app: ratings } }
  ingress:
    - port: { number: ${PORT}, name: http, protocol: HTTP }
      bind: ${RATINGS}
      captureMode: NONE
      defaultEndpoint: 127.0.0.1:${port}
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: reviews }
spec:
  workloadSelector: { labels: { app: reviews } }
  egress: [{ bind: ${CLIENT}, port: { number: ${PORT}, name: http, protocol: HTTP }, hosts: ["./*"] }]
`
}
