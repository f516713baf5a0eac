import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { TestCa } from '../support/certificates.ts'
import { loopbackBlock, type Workload } from '../support/mesh.ts'
import { sendRaw } from '../support/raw-http.ts'
import { MeshPair, PLANES, type Plane } from './mesh-pair.ts'

/** A DestinationRule's TLS to a server outside of the mesh: real Envoy and our proxy under one pilot must do the same. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const block = loopbackBlock()
const bind: Record<Plane, string> = { envoy: `${block}.11`, lateen: `${block}.12` }
const PORT = 9080
const SERVER = `${block}.21`

const [ca, otherCa] = [new TestCa('root'), new TestCa('another root')]
const server = ca.issue('server', { altNames: ['DNS:api.example.com', 'URI:spiffe://example.com/ns/a/sa/api'] })
const client = ca.issue('client')

/** Each host's rule, as the tls block of a DestinationRule, and what a call to it is answered. */
const CASES: Record<string, { readonly tls: string; readonly status: number; readonly sees?: string }> = {
  'api.example.com': {
    tls: `{ mode: SIMPLE, caCertificates: ${ca.certFile} }`,
    status: 200,
    sees: 'api.example.com -',
  },
  'other.example.com': { tls: `{ mode: SIMPLE, caCertificates: ${ca.certFile} }`, status: 503 },
  'named.example.com': {
    tls: `{ mode: SIMPLE, caCertificates: ${ca.certFile}, sni: api.example.com, subjectAltNames: [api.example.com] }`,
    status: 200,
    sees: 'api.example.com -',
  },
  'spiffe.example.com': {
    tls: `{ mode: SIMPLE, caCertificates: ${ca.certFile}, subjectAltNames: ["spiffe://example.com/ns/a/sa/api"] }`,
    status: 200,
    sees: 'spiffe.example.com -',
  },
  'misnamed.example.com': {
    tls: `{ mode: SIMPLE, caCertificates: ${ca.certFile}, sni: api.example.com, subjectAltNames: [b.example.com] }`,
    status: 503,
  },
  'untrusted.example.com': {
    tls: `{ mode: SIMPLE, caCertificates: ${otherCa.certFile}, sni: api.example.com, subjectAltNames: [api.example.com] }`,
    status: 503,
  },
  'unverified.example.com': {
    tls: '{ mode: SIMPLE, insecureSkipVerify: true, sni: x.example.com }',
    status: 200,
    sees: 'x.example.com -',
  },
  'mutual.example.com': {
    tls: `{ mode: MUTUAL, caCertificates: ${ca.certFile}, clientCertificate: ${client.certFile}, privateKey: ${client.keyFile}, sni: api.example.com, subjectAltNames: [api.example.com] }`,
    status: 200,
    sees: 'api.example.com client',
  },
  // The roots of the operating system do not know ours.
  'public.example.com': { tls: '{ mode: SIMPLE, sni: api.example.com }', status: 503 },
  'plain.example.com': { tls: '{ mode: DISABLE }', status: 503 },
}

let upstream: Server
let pair: MeshPair

beforeAll(async () => {
  upstream = createServer(
    { cert: server.cert, key: server.key, ca: ca.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const socket = request.socket as TLSSocket & { servername?: string }
      response.end(`${socket.servername || '-'} ${socket.getPeerCertificate().subject?.CN ?? '-'}`)
    },
  )
  await new Promise<void>((resolve) => upstream.listen(0, SERVER, resolve))
  pair = new MeshPair(configuration((upstream.address() as { port: number }).port))
  await pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, PORT)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  upstream.closeAllConnections()
  upstream.close()
  for (const authority of [ca, otherCa]) authority.remove()
}, 20_000)

for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  for (const [host, { status, sees, tls }] of Object.entries(CASES)) {
    run(`${plane}: ${host} ${tls.replaceAll(/\/[^ ,}]*\//g, '')} is answered ${status}`, async () => {
      const answer = await sendRaw(bind[plane], PORT, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      expect(answer.status).toBe(status)
      if (sees !== undefined) expect(String(answer.body)).toBe(sees)
    })
  }
}

function workload(plane: Plane): Workload {
  return { type: 'sidecar', ip: bind[plane], name: `client-${plane}`, labels: { app: plane } }
}

function configuration(port: number): string {
  const hosts = Object.entries(CASES).map(([host, { tls }]) =>
    [
      'apiVersion: networking.istio.io/v1',
      'kind: ServiceEntry',
      `metadata: { name: ${host} }`,
      'spec:',
      `  hosts: [${host}]`,
      '  resolution: STATIC',
      `  ports: [{ number: ${PORT}, name: http, protocol: HTTP, targetPort: ${port} }]`,
      `  endpoints: [{ address: ${SERVER} }]`,
      '---',
      'apiVersion: networking.istio.io/v1',
      'kind: DestinationRule',
      `metadata: { name: ${host} }`,
      `spec: { host: ${host}, trafficPolicy: { tls: ${tls} } }`,
    ].join('\n'),
  )
  const sidecars = PLANES.map((plane) =>
    [
      'apiVersion: networking.istio.io/v1',
      'kind: Sidecar',
      `metadata: { name: ${plane} }`,
      'spec:',
      `  workloadSelector: { labels: { app: ${plane} } }`,
      `  egress: [{ bind: ${bind[plane]}, port: { number: ${PORT}, name: http, protocol: HTTP }, hosts: ["./*"] }]`,
    ].join('\n'),
  )
  return [...hosts, ...sidecars].join('\n---\n')
}
