import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { MemorySource } from '../../../config/sources/memory.ts'
import type { MetricReading } from '../../../lib/metrics/store.ts'
import type { Agent } from '../../../proxy/agent/agent.ts'
import { eventually } from '../../support/eventually.ts'
import { IdentityMesh } from '../../support/identity-mesh.ts'
import { canConnect, loopbackBlock } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'

/** Two proxies with mutual TLS between them, who count the same calls: each by what it knows of itself and was told of the other. */

const block = loopbackBlock()
const CLIENT = `${block}.11`
const RATINGS = `${block}.21`
const PORT = 9080
const CALLS = 40

let app: Server
let source: MemorySource
let mesh: IdentityMesh
let client: Agent
let ratings: Agent
const seen = new Set<string>()

beforeAll(async () => {
  app = createServer((request, response) => {
    for (const name of Object.keys(request.headers)) seen.add(name)
    response.setHeader('x-envoy-peer-metadata', 'what an application says')
    response.statusCode = request.url === '/missing' ? 404 : 200
    response.end('0123456789')
  })
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  source = new MemorySource({ 'mesh.yaml': configuration() })
  mesh = new IdentityMesh(source)
  await mesh.start()
  const proxy = (account: string, ip: string) =>
    mesh.addProxy({
      type: 'sidecar',
      name: `${account}-1`,
      ip,
      account,
      labels: { app: account, version: 'v1' },
    })
  ratings = await proxy('ratings', RATINGS)
  client = await proxy('reviews', CLIENT)
  for (const address of [CLIENT, RATINGS]) await eventually(() => canConnect(address, PORT))
  await eventually(async () => expect(await call('/first')).toMatchObject({ status: 200 }))
}, 60_000)

afterAll(async () => {
  await mesh.stop()
  source.close()
  app.close()
})

function call(path: string) {
  return sendRaw(CLIENT, PORT, `GET ${path} HTTP/1.1\r\nHost: ratings\r\nConnection: close\r\n\r\n`)
}

function requestsOf(agent: Agent): MetricReading[] {
  return agent.planes.metrics.all().filter(({ name }) => name === 'istio_requests_total')
}

/** By status, of answers of the application alone. */
function countsOf(agent: Agent): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { labels, value } of requestsOf(agent)) {
    const { response_code: code, response_flags: flags } = labels
    if (flags === '-') counts[code as string] = (counts[code as string] ?? 0) + value
  }
  return counts
}

test('both reporters count every call, once', async () => {
  const before = countsOf(ratings)
  const beforeClient = countsOf(client)
  for (let i = 0; i < CALLS; i++) await call(i % 4 === 0 ? '/missing' : '/')
  for (const [agent, base] of [
    [ratings, before],
    [client, beforeClient],
  ] as const) {
    const now = countsOf(agent)
    expect((now['200'] ?? 0) - (base['200'] ?? 0)).toBe(30)
    expect((now['404'] ?? 0) - (base['404'] ?? 0)).toBe(10)
  }
})

test('each knows the other by what it was told', () => {
  const shared = {
    source_workload_namespace: 'default',
    source_principal: 'spiffe://cluster.local/ns/default/sa/reviews',
    source_canonical_service: 'reviews',
    source_canonical_revision: 'v1',
    source_app: 'reviews',
    source_version: 'v1',
    destination_workload_namespace: 'default',
    destination_principal: 'spiffe://cluster.local/ns/default/sa/ratings',
    destination_canonical_service: 'ratings',
    destination_canonical_revision: 'v1',
    destination_app: 'ratings',
    destination_version: 'v1',
    request_protocol: 'http',
  }
  const missing = (agent: Agent) => requestsOf(agent).find(({ labels }) => labels.response_code === '404')?.labels
  expect(missing(client)).toMatchObject({
    ...shared,
    reporter: 'source',
    connection_security_policy: 'unknown',
    destination_service: 'ratings.default.svc.cluster.local',
    destination_service_name: 'ratings',
    destination_service_namespace: 'default',
  })
  expect(missing(ratings)).toMatchObject({
    ...shared,
    reporter: 'destination',
    connection_security_policy: 'mutual_tls',
  })
})

test('applications neither see what proxies tell each other, nor say it', async () => {
  expect([...seen].filter((name) => name.startsWith('x-envoy-peer-metadata'))).toEqual([])
  expect((await call('/')).headers).not.toHaveProperty('x-envoy-peer-metadata')
})

test('sizes are counted at both ends', () => {
  for (const agent of [client, ratings]) {
    const bodies = agent.planes.metrics
      .histograms()
      .filter(({ name, labels }) => name === 'istio_response_bytes' && labels.response_code === '404')
    expect(bodies.map(({ sum }) => sum)).toEqual([100])
  }
})

test('a Telemetry takes metrics and labels away while calls go on', async () => {
  source.set(
    'telemetry.yaml',
    `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: own, namespace: default }
spec:
  metrics:
    - overrides:
        - match: { metric: REQUEST_COUNT, mode: CLIENT }
          tagOverrides: { source_principal: { operation: REMOVE }, path: { value: request.url_path } }
`,
  )
  await eventually(async () => {
    await call('/tagged')
    const tagged = requestsOf(client).find(({ labels }) => labels.path === '/tagged')
    expect(tagged).toBeDefined()
    expect(tagged?.labels).not.toHaveProperty('source_principal')
  })
  expect(requestsOf(ratings).some(({ labels }) => 'path' in labels)).toBe(false)
})

function configuration(): string {
  const { port } = app.address() as AddressInfo
  return `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ratings }
spec: { host: ratings, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }
---
apiVersion: v1
kind: Service
metadata: { name: ratings }
spec: { selector: { app: ratings }, ports: [{ name: http, port: ${PORT} }] }
---
apiVersion: v1
kind: Pod
metadata: { name: ratings-1, labels: { app: ratings, version: v1 } }
spec: { serviceAccountName: ratings }
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
