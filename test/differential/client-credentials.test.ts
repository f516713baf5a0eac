import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { TestCa } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { loopbackBlock, type Workload } from '../support/mesh.ts'
import { MeshAuthority } from '../support/mesh-authority.ts'
import { sendRaw } from '../support/raw-http.ts'
import { secretYaml } from '../support/secret-yaml.ts'
import { MeshPair, PLANES, type Plane } from './mesh-pair.ts'

/**
 * TLS to a server outside of the mesh by a Secret that a DestinationRule names: at sidecars that the rule selects, at gateways, and
 * nowhere else. Real Envoy and our proxy do the same.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const block = loopbackBlock()
const ip: Record<Plane, string> = { envoy: `${block}.11`, lateen: `${block}.12` }
const BACKEND = `${block}.21`
const PORT = 8080

const [ca, clientCa] = [new TestCa('servers'), new TestCa('clients')]
const authority = new MeshAuthority(['default/default'])
const own = ca.issue('api.example.com')
const client = clientCa.issue('the client')

let server: Server
let pair: MeshPair
let port: number

beforeAll(async () => {
  const { cert, key } = own
  const options = { cert, key, ca: clientCa.cert, requestCert: true, rejectUnauthorized: false }
  server = createServer(options, (request, response) => {
    const socket = request.socket as TLSSocket
    response.end(socket.authorized ? socket.getPeerCertificate().subject.CN : 'nobody')
  })
  await new Promise<void>((resolve) => server.listen(0, BACKEND, resolve))
  port = (server.address() as { port: number }).port
  pair = new MeshPair(configuration(), authority)
  const whole = { 'tls.crt': client.cert, 'tls.key': client.key, 'ca.crt': ca.cert }
  pair.source.set('secret.yaml', secretYaml('api-client', whole))
  await pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, PORT)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  server.closeAllConnections()
  server.close()
  authority.remove()
  for (const one of [ca, clientCa]) one.remove()
}, 20_000)

async function call(plane: Plane, host: string): Promise<string> {
  const { status, body } = await sendRaw(
    ip[plane],
    PORT,
    `GET / HTTP/1.1\r\nHost: ${host}.example.com\r\nConnection: close\r\n\r\n`,
  )
  return `${status} ${status === 200 ? body : ''}`.trim()
}

for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  run(`${plane}: MUTUAL shows what the Secret holds`, async () => {
    await eventually(async () => expect(await call(plane, 'mutual')).toBe('200 the client'), 20_000)
  })

  run(`${plane}: SIMPLE trusts the roots that it holds, and shows nothing`, async () => {
    await eventually(async () => expect(await call(plane, 'simple')).toBe('200 nobody'), 20_000)
  })

  run(`${plane}: a server that is another is refused`, async () => {
    expect(await call(plane, 'other')).toBe('503')
  })

  run(`${plane}: a rule that does not select the sidecar gives it no Secret`, async () => {
    // The roots of the operating system do not know the server.
    expect(await call(plane, 'unselected')).toBe('503')
  })
}

function workload(plane: Plane): Workload {
  return { type: 'sidecar', ip: ip[plane], name: `client-${plane}`, labels: { app: plane, role: 'client' } }
}

function configuration(): string {
  const rule = (name: string, tls: string, selector = 'workloadSelector: { matchLabels: { role: client } }') => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name} }
spec:
  hosts: [${name}.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: ${PORT}, name: http, protocol: HTTP, targetPort: ${port} }]
  endpoints: [{ address: ${BACKEND} }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${name} }
spec:
  host: ${name}.example.com
  ${selector}
  trafficPolicy: { tls: { credentialName: api-client, ${tls} } }
---`
  const sidecars = PLANES.map(
    (plane) => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: ${plane} }
spec:
  workloadSelector: { labels: { app: ${plane} } }
  egress: [{ bind: ${ip[plane]}, port: { number: ${PORT}, name: http, protocol: HTTP }, hosts: ["./*"] }]
---`,
  )
  return [
    rule('mutual', 'mode: MUTUAL, sni: api.example.com, subjectAltNames: [api.example.com]'),
    rule('simple', 'mode: SIMPLE, sni: api.example.com, subjectAltNames: [api.example.com]'),
    rule('other', 'mode: SIMPLE, sni: api.example.com, subjectAltNames: [other.example.com]'),
    rule('unselected', 'mode: SIMPLE, sni: api.example.com', ''),
    ...sidecars,
  ].join('')
}
