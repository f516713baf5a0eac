import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { type Issued, TestCa } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { loopbackBlock, type Workload } from '../support/mesh.ts'
import { MeshAuthority } from '../support/mesh-authority.ts'
import { secretYaml } from '../support/secret-yaml.ts'
import { LOAD_ANSWER, TlsLoad } from '../support/tls-load.ts'
import { MeshPair, PLANES, type Plane } from './mesh-pair.ts'
import { tlsCall } from './tls-call.ts'

/** A Secret changes again and again while requests are under way: none fails, and connections that there are live on. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const block = loopbackBlock()
const ip: Record<Plane, string> = { envoy: `${block}.11`, lateen: `${block}.12` }
const BACKEND = `${block}.21`
const PORT = 8443
const HOST = 'shop.example.com'
const CHANGES = 12
const CHANGE_EVERY_MS = 250

const ca = new TestCa('servers')
const authority = new MeshAuthority(['default/default'])
const issued = Array.from({ length: CHANGES }, (_, i) => ca.issue(`number ${i}`, { altNames: [`DNS:${HOST}`] }))

let http: Server
let pair: MeshPair

beforeAll(async () => {
  http = createServer((_request, response) => setTimeout(() => response.end(LOAD_ANSWER), 5))
  await new Promise<void>((resolve) => http.listen(9080, BACKEND, resolve))
  pair = new MeshPair(configuration(), authority)
  pair.source.set('secret.yaml', secretOf(issued[0] as Issued))
  await pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, PORT)
  const planes = envoy === undefined ? (['lateen'] as const) : PLANES
  const asked = (plane: Plane) => tlsCall(ip[plane], PORT, { host: HOST, tls: { ca: ca.cert } })
  for (const plane of planes) await eventually(async () => expect(await asked(plane)).toContain('200'), 20_000)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  http.closeAllConnections()
  http.close()
  authority.remove()
  ca.remove()
}, 20_000)

const secretOf = ({ cert, key }: Issued) => secretYaml('shop', { 'tls.crt': cert, 'tls.key': key })

for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  run(
    `${plane}: a Secret that changes fails no request and ends no connection`,
    async () => {
      const load = new TlsLoad(ip[plane], PORT, HOST, ca.cert)
      for (const one of issued) {
        pair.source.set('secret.yaml', secretOf(one))
        await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS))
      }
      await load.end()
      expect(load.failures).toEqual([])
      expect(load.requests).toBeGreaterThan(100)
      // The first may have gone before a connection was made.
      expect(load.certificates.size).toBeGreaterThanOrEqual(CHANGES - 2)
    },
    30_000,
  )
}

function workload(plane: Plane): Workload {
  return { type: 'router', ip: ip[plane], name: `gateway-${plane}`, labels: { app: plane } }
}

function configuration(): string {
  const gateways = PLANES.map(
    (plane) => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${plane} }
spec:
  selector: { app: ${plane} }
  servers:
    - bind: ${ip[plane]}
      port: { number: ${PORT}, name: https, protocol: HTTPS }
      hosts: [${HOST}]
      tls: { mode: SIMPLE, credentialName: shop }
---`,
  )
  return `${gateways.join('\n')}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: backend }
spec:
  hosts: [backend.internal]
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  endpoints: [{ address: ${BACKEND} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [${HOST}]
  gateways: [${PLANES.join(', ')}]
  http: [{ route: [{ destination: { host: backend.internal } }] }]
`
}
