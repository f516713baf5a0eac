import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { type Issued, TestCa } from '../support/certificates.ts'
import { loopbackBlock, type Workload } from '../support/mesh.ts'
import { MeshPair, PLANES, type Plane } from './mesh-pair.ts'
import { type Call, shown, tlsCall } from './tls-call.ts'

/** A Gateway's servers that end TLS by files: real Envoy and our proxy under one pilot must do the same. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const block = loopbackBlock()
const ip: Record<Plane, string> = { envoy: `${block}.11`, lateen: `${block}.12` }
const BACKEND = `${block}.21`
const PORT = 8443

const [ca, clientCa, otherCa] = [new TestCa('servers'), new TestCa('clients'), new TestCa('strangers')]
const HOSTS = ['simple', 'mutual', 'optional', 'modern', 'pair', 'bytes', 'nobody'] as const
type Host = (typeof HOSTS)[number]
const certificates = Object.fromEntries(
  HOSTS.map((host) => [host, ca.issue(`${host}.example.com`)]),
) as unknown as Record<Host, Issued>
const rsa = ca.issue('pair.example.com', { keyType: 'rsa' })
const client = clientCa.issue('client', { altNames: ['URI:spiffe://example.com/ns/a/sa/client'] })
const unnamed = clientCa.issue('unnamed')
const stranger = otherCa.issue('stranger')

let http: Server
let tcp: TcpServer
let pair: MeshPair

beforeAll(async () => {
  http = createServer((request, response) => {
    const { host, 'x-forwarded-proto': scheme } = request.headers
    response.end(`${host} ${scheme}`)
  })
  tcp = createTcpServer((socket) => socket.on('error', () => {}).pipe(socket))
  await new Promise<void>((resolve) => http.listen(9080, BACKEND, resolve))
  await new Promise<void>((resolve) => tcp.listen(9081, BACKEND, resolve))
  pair = new MeshPair(configuration())
  await pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, PORT)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  http.closeAllConnections()
  http.close()
  tcp.close()
  for (const authority of [ca, clientCa, otherCa]) authority.remove()
}, 20_000)

const call = (plane: Plane, asked: Call) => tlsCall(ip[plane], PORT, { ...asked, tls: { ca: ca.cert, ...asked.tls } })

const CASES: Record<string, { readonly call: Call; readonly gets: string }> = {
  'a server is chosen by name': {
    call: { host: 'simple.example.com' },
    gets: 'TLSv1.3 - simple.example.com 200 simple.example.com https',
  },
  'HTTP/1.1 is agreed on': {
    call: { host: 'simple.example.com', tls: { ALPNProtocols: ['http/1.1'] } },
    gets: 'TLSv1.3 http/1.1 simple.example.com 200 simple.example.com https',
  },
  'TLS 1.2 is taken': {
    call: { host: 'simple.example.com', tls: { maxVersion: 'TLSv1.2' } },
    gets: 'TLSv1.2 - simple.example.com 200 simple.example.com https',
  },
  'TLS 1.2 is refused where 1.3 is the least': {
    call: { host: 'modern.example.com', tls: { maxVersion: 'TLSv1.2' } },
    gets: 'refused',
  },
  'TLS 1.3 is taken there': {
    call: { host: 'modern.example.com' },
    gets: 'TLSv1.3 - modern.example.com 200 modern.example.com https',
  },
  'a client with a certificate of the right root and name': {
    call: { host: 'mutual.example.com', tls: shown(client) },
    gets: 'TLSv1.3 - mutual.example.com 200 mutual.example.com https',
  },
  'a client without one': { call: { host: 'mutual.example.com' }, gets: 'refused' },
  'a client of another root': { call: { host: 'mutual.example.com', tls: shown(stranger) }, gets: 'refused' },
  'a client of another name': { call: { host: 'mutual.example.com', tls: shown(unnamed) }, gets: 'refused' },
  'a client that need not show one, and does not': {
    call: { host: 'optional.example.com' },
    gets: 'TLSv1.3 - optional.example.com 200 optional.example.com https',
  },
  'a client that need not show one, and does': {
    call: { host: 'optional.example.com', tls: shown(client) },
    gets: 'TLSv1.3 - optional.example.com 200 optional.example.com https',
  },
  'a client that need not show one, and shows a wrong one': {
    call: { host: 'optional.example.com', tls: shown(stranger) },
    gets: 'refused',
  },
  'a client that takes RSA only': {
    call: { host: 'pair.example.com', tls: { sigalgs: 'rsa_pss_rsae_sha256' } },
    gets: 'TLSv1.3 - pair.example.com 200 pair.example.com https',
  },
  'bytes behind TLS': {
    call: { host: 'bytes.example.com', bytes: 'hello' },
    gets: 'TLSv1.3 - bytes.example.com  hello',
  },
  'a server that no VirtualService is bound to': {
    call: { host: 'nobody.example.com' },
    gets: 'TLSv1.3 - nobody.example.com 404',
  },
  'a name that no server has': { call: { host: 'unknown.example.com' }, gets: 'refused' },
}

for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  for (const [what, { call: asked, gets }] of Object.entries(CASES)) {
    run(`${plane}: ${what}`, async () => expect(await call(plane, asked)).toBe(gets))
  }
}

function workload(plane: Plane): Workload {
  return { type: 'router', ip: ip[plane], name: `gateway-${plane}`, labels: { app: plane } }
}

function configuration(): string {
  const files = ({ certFile, keyFile }: Issued) => `serverCertificate: ${certFile}, privateKey: ${keyFile}`
  const tls: Record<Host, string> = {
    simple: `{ mode: SIMPLE, ${files(certificates.simple)} }`,
    mutual: `{ mode: MUTUAL, ${files(certificates.mutual)}, caCertificates: ${clientCa.certFile}, subjectAltNames: ["spiffe://example.com/ns/a/sa/client"] }`,
    optional: `{ mode: OPTIONAL_MUTUAL, ${files(certificates.optional)}, caCertificates: ${clientCa.certFile} }`,
    modern: `{ mode: SIMPLE, minProtocolVersion: TLSV1_3, ${files(certificates.modern)} }`,
    pair: `{ mode: SIMPLE, tlsCertificates: [{ ${files(certificates.pair)} }, { ${files(rsa)} }] }`,
    bytes: `{ mode: SIMPLE, ${files(certificates.bytes)} }`,
    nobody: `{ mode: SIMPLE, ${files(certificates.nobody)} }`,
  }
  const servers = (plane: Plane) =>
    HOSTS.map((host) => {
      const port = `{ number: ${PORT}, name: ${host}, protocol: ${host === 'bytes' ? 'TLS' : 'HTTPS'} }`
      return `    - { bind: ${ip[plane]}, port: ${port}, hosts: [${host}.example.com], tls: ${tls[host]} }`
    })
  const gateways = PLANES.map(
    (plane) => `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: ${plane} }
spec:
  selector: { app: ${plane} }
  servers:
${servers(plane).join('\n')}
---`,
  )
  const served = HOSTS.filter((host) => host !== 'bytes' && host !== 'nobody').map((host) => `${host}.example.com`)
  return `${gateways.join('\n')}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: backend }
spec:
  hosts: [backend.internal]
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }, { number: 9081, name: tcp, protocol: TCP }]
  endpoints: [{ address: ${BACKEND} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [${served.join(', ')}]
  gateways: [${PLANES.join(', ')}]
  http: [{ route: [{ destination: { host: backend.internal, port: { number: 9080 } } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bytes }
spec:
  hosts: [bytes.example.com]
  gateways: [${PLANES.join(', ')}]
  tcp: [{ route: [{ destination: { host: backend.internal, port: { number: 9081 } } }] }]
`
}
