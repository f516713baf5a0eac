import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { type ConnectionOptions, connect, createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { type Issued, TestCa } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { loopbackBlock, type Workload } from '../support/mesh.ts'
import { MeshAuthority } from '../support/mesh-authority.ts'
import { secretYaml } from '../support/secret-yaml.ts'
import { run } from '../support/tls-clients.ts'
import { MeshPair, PLANES, type Plane } from './mesh-pair.ts'
import { type Call, shown, tlsCall } from './tls-call.ts'

/**
 * A Gateway's servers by Secrets, over discovery with TLS and proven callers: real Envoy and our proxy under one pilot must do the same.
 * Requests that come to the wrong server by a right certificate are sent back by both.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const block = loopbackBlock()
const ip: Record<Plane, string> = { envoy: `${block}.11`, lateen: `${block}.12` }
const BACKEND = `${block}.21`
const [HTTPS, PLAIN, MESH, PASSED] = [8443, 8080, 8444, 15443]

const [ca, clientCa, otherCa] = [new TestCa('servers'), new TestCa('clients'), new TestCa('strangers')]
const authority = new MeshAuthority(['default/default', 'bank/default'])
const wild = ca.issue('wild.example.com', { altNames: ['DNS:*.example.com'] })
const simple = ca.issue('simple.example.com')
const rsa = ca.issue('pair.example.com', { keyType: 'rsa' })
const ec = ca.issue('pair.example.com')
const client = clientCa.issue('client')
const stranger = otherCa.issue('stranger')
const late = ca.issue('late.example.com')

let http: Server
let tls: TlsServer
let tcp: TcpServer
let pair: MeshPair

beforeAll(async () => {
  http = createServer((request, response) => response.end(`${request.headers.host}`))
  await new Promise<void>((resolve) => http.listen(9080, BACKEND, resolve))
  const { cert, key } = simple
  tls = createTlsServer({ cert, key, ALPNProtocols: ['istio'] }, (socket) => socket.on('error', () => {}).pipe(socket))
  await new Promise<void>((resolve) => tls.listen(9443, BACKEND, resolve))
  tcp = createTcpServer((socket) => socket.on('error', () => {}).pipe(socket))
  await new Promise<void>((resolve) => tcp.listen(9081, BACKEND, resolve))
  pair = new MeshPair(configuration(), authority)
  pair.source.set('secrets.yaml', secrets())
  await pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, HTTPS)
  const planes = envoy === undefined ? (['lateen'] as const) : PLANES
  for (const plane of planes) await eventually(async () => expect(await answered(plane)).toContain('200'), 20_000)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  http.closeAllConnections()
  http.close()
  tls.close()
  tcp.close()
  authority.remove()
  for (const one of [ca, clientCa, otherCa]) one.remove()
}, 20_000)

const call = (plane: Plane, asked: Call) => tlsCall(ip[plane], HTTPS, { ...asked, tls: { ca: ca.cert, ...asked.tls } })
const answered = (plane: Plane) => call(plane, { host: 'simple.example.com' })

const OLD: ConnectionOptions = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
const cipher = (name: string): ConnectionOptions => ({ ciphers: name, maxVersion: 'TLSv1.2' })

const CASES: Record<string, { readonly call: Call; readonly gets: string }> = {
  'a certificate of a Secret': {
    call: { host: 'simple.example.com' },
    gets: 'TLSv1.3 - simple.example.com 200 simple.example.com',
  },
  'another by another name': {
    call: { host: 'www.example.com' },
    gets: 'TLSv1.3 - wild.example.com 200 www.example.com',
  },
  'a client that takes RSA only': {
    call: { host: 'pair.example.com', tls: { sigalgs: 'rsa_pss_rsae_sha256' } },
    gets: 'TLSv1.3 - pair.example.com 200 pair.example.com',
  },
  'a client that takes ECDSA only': {
    call: { host: 'pair.example.com', tls: { sigalgs: 'ecdsa_secp256r1_sha256' } },
    gets: 'TLSv1.3 - pair.example.com 200 pair.example.com',
  },
  'a client of the right root': {
    call: { host: 'mutual.example.com', tls: shown(client) },
    gets: 'TLSv1.3 - wild.example.com 200 mutual.example.com',
  },
  'a client that shows nothing': { call: { host: 'mutual.example.com' }, gets: 'refused' },
  'a client of a wrong root': { call: { host: 'mutual.example.com', tls: shown(stranger) }, gets: 'refused' },
  'a client that need not show anything': {
    call: { host: 'optional.example.com' },
    gets: 'TLSv1.3 - wild.example.com 200 optional.example.com',
  },
  'a client that need not, and shows a right one': {
    call: { host: 'optional.example.com', tls: shown(client) },
    gets: 'TLSv1.3 - wild.example.com 200 optional.example.com',
  },
  'a client that need not, and shows a wrong one': {
    call: { host: 'optional.example.com', tls: shown(stranger) },
    gets: 'refused',
  },
  'TLS 1.1, where nothing is said of versions': { call: { host: 'simple.example.com', tls: OLD }, gets: 'refused' },
  'TLS 1.3, where 1.2 is the most': {
    call: { host: 'old.example.com', tls: { minVersion: 'TLSv1.3' } },
    gets: 'refused',
  },
  'a cipher suite that is taken': {
    call: { host: 'old.example.com', tls: cipher('ECDHE-ECDSA-AES256-GCM-SHA384') },
    gets: 'TLSv1.2 - wild.example.com 200 old.example.com',
  },
  'a cipher suite that is not': {
    call: { host: 'old.example.com', tls: cipher('ECDHE-ECDSA-AES128-GCM-SHA256') },
    gets: 'refused',
  },
  'the same host twice: the first server has it': {
    call: { host: 'twice.example.com' },
    gets: 'TLSv1.3 - wild.example.com 200 twice.example.com',
  },
  'a Secret of another namespace': { call: { host: 'foreign.example.com' }, gets: 'refused' },
  'a request for another server': {
    call: { host: 'simple.example.com', authority: 'www.example.com' },
    gets: 'TLSv1.3 - simple.example.com 421',
  },
  'a request for another server, within the name of this one': {
    call: { host: 'www.example.com', authority: 'simple.example.com' },
    gets: 'TLSv1.3 - wild.example.com 421',
  },
  'a request for a server that asks more of its clients': {
    call: { host: 'www.example.com', authority: 'mutual.example.com:8443' },
    gets: 'TLSv1.3 - wild.example.com 421',
  },
  "a request for nobody's host": {
    call: { host: 'simple.example.com', authority: 'elsewhere.org' },
    gets: 'TLSv1.3 - simple.example.com 421',
  },
  'a request with a port': {
    call: { host: 'simple.example.com', authority: 'simple.example.com:443' },
    gets: 'TLSv1.3 - simple.example.com 200 simple.example.com:443',
  },
  'a host of its own that no VirtualService serves': {
    call: { host: 'nobody.example.com' },
    gets: 'TLSv1.3 - wild.example.com 404',
  },
}

for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  for (const [what, { call: asked, gets }] of Object.entries(CASES)) {
    run(`${plane}: ${what}`, async () => expect(await call(plane, asked)).toBe(gets))
  }

  run(`${plane}: HTTP/2 requests for other names on one connection`, async () => {
    expect(await coalesced(plane, ['www.example.com', 'blog.example.com', 'simple.example.com'])).toEqual([
      200, 200, 421,
    ])
  })

  run(`${plane}: curl and openssl see the same`, async () => {
    const host = 'simple.example.com'
    const asked = ['-sS', '--max-time', '10', '--cacert', ca.certFile, '--resolve', `${host}:${HTTPS}:${ip[plane]}`]
    const curl = await command('curl', [...asked, '-w', ' %{http_code} %{http_version}', `https://${host}:${HTTPS}/`])
    expect(curl).toBe(`${host}:${HTTPS} 200 2`)
    const connected = ['-connect', `${ip[plane]}:${HTTPS}`, '-servername', host, '-CAfile', ca.certFile, '-brief']
    expect(await command('openssl', ['s_client', ...connected])).toMatch(
      /CN ?= ?simple.example.com[\s\S]*Verification: OK/,
    )
  })

  run(`${plane}: plain HTTP is sent to HTTPS`, async () => {
    const { status, headers } = await fetch(`http://${ip[plane]}:${PLAIN}/a?b`, { redirect: 'manual' })
    expect([status, headers.get('location')]).toEqual([301, `https://${ip[plane]}:${PLAIN}/a?b`])
  })

  run(`${plane}: TLS of the mesh is passed on by the name of a cluster`, async () => {
    const sni = 'outbound_.9443_._.member.internal'
    expect(await passedOn(plane, sni, ['istio'])).toBe('simple.example.com hello')
    expect(await passedOn(plane, sni, ['http/1.1'])).toBe('refused')
    expect(await passedOn(plane, 'outbound_.9999_._.member.internal', ['istio'])).toBe('refused')
    // Nobody behind it would be called so.
    expect(await passedOn(plane, 'outbound_.9443_._.backend.internal', ['istio'])).toBe('refused')
    expect(await passedOn(plane, 'outbound_.9080_._.outside.example.org', ['istio'])).toBe('refused')
  })
}

for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  run(`${plane}: the certificates of the mesh`, () => meshCertificates(plane), 20_000)
}

async function meshCertificates(plane: Plane): Promise<void> {
  const workloadOf = await authority.certificate('default/default', pair.caPort)
  const own = { cert: readFileSync(workloadOf.certFile), key: readFileSync(workloadOf.keyFile) }
  const meshTls = { ca: readFileSync(authority.rootFile), checkServerIdentity: () => undefined }
  const asked = (more: ConnectionOptions) =>
    tlsCall(ip[plane], MESH, { host: 'mesh.example.com', tls: { ...meshTls, ...more } })
  await eventually(async () => expect(await asked(own)).toMatch(/^TLSv1.3 - \S* ?200 mesh.example.com$/))
  expect(await asked({})).toBe('refused')
  expect(await asked(shown(stranger))).toBe('refused')
  // Whose mesh it is does not make it everybody's: this server is for another caller.
  expect(await asked({ ...own, servername: 'others.example.com' })).toBe('refused')
  const bytes = { host: 'bytes.example.com', bytes: 'hello', tls: { ...meshTls, ...own } }
  const offered = { ...bytes.tls, ALPNProtocols: ['istio-peer-exchange', 'istio'] }
  expect(await tlsCall(ip[plane], MESH, { ...bytes, tls: offered })).toMatch(/^TLSv1.3 istio-peer-exchange .*hello$/)
  expect(await tlsCall(ip[plane], MESH, { ...bytes, tls: meshTls })).toBe('refused')
}

// Last: it changes what is served.
for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  run(
    `${plane}: a Secret that comes late, is changed, and goes`,
    async () => {
      const asked = () => call(plane, { host: 'late.example.com' })
      const name = `late-${plane}`
      expect(await asked()).toBe('refused')
      pair.source.set(`${name}.yaml`, secretYaml(name, { 'tls.crt': late.cert, 'tls.key': late.key }))
      await eventually(async () => expect(await asked()).toBe('TLSv1.3 - late.example.com 200 late.example.com'))
      pair.source.set(`${name}.yaml`, secretYaml(name, { 'tls.crt': wild.cert, 'tls.key': wild.key }))
      await eventually(async () => expect(await asked()).toBe('TLSv1.3 - wild.example.com 200 late.example.com'))
      // What nobody could use does not take the place of what works.
      pair.source.set(`${name}.yaml`, secretYaml(name, { 'tls.crt': simple.cert, 'tls.key': wild.key }))
      await eventually(async () => expect(await answered(plane)).toContain('200'))
      expect(await asked()).toBe('TLSv1.3 - wild.example.com 200 late.example.com')
    },
    30_000,
  )
}

/** The statuses of requests for these names, on one connection that was made for the first. */
async function coalesced(plane: Plane, hosts: readonly string[]): Promise<number[]> {
  const session = connectHttp2(`https://${ip[plane]}:${HTTPS}`, { servername: hosts[0], ca: ca.cert } as object)
  try {
    const statuses: number[] = []
    for (const host of hosts) {
      statuses.push(
        await new Promise<number>((resolve, reject) => {
          const stream = session.request({ ':path': '/', ':authority': host })
          stream.on('response', (headers) => resolve(Number(headers[':status'])))
          stream.on('error', reject)
          stream.resume()
        }),
      )
    }
    return statuses
  } finally {
    session.destroy()
  }
}

async function command(program: string, args: readonly string[]): Promise<string> {
  return (await run(program, args)).output
}

function passedOn(plane: Plane, servername: string, alpn: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const options = { ca: ca.cert, ALPNProtocols: [...alpn], checkServerIdentity: () => undefined }
    const socket = connect({ host: ip[plane], port: PASSED, servername, ...options }, () => socket.write('hello'))
    let text = ''
    socket.on('data', (chunk: Buffer) => {
      text += `${socket.getPeerCertificate().subject.CN} ${chunk}`
      socket.end()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text || 'refused'))
  })
}

function workload(plane: Plane): Workload {
  return { type: 'router', ip: ip[plane], name: `gateway-${plane}`, labels: { app: plane } }
}

function secrets(): string {
  const certificate = ({ cert, key }: Issued) => ({ 'tls.crt': cert, 'tls.key': key })
  return [
    secretYaml('simple', certificate(simple)),
    secretYaml('wild', { cert: wild.cert, key: wild.key }),
    secretYaml('rsa', certificate(rsa)),
    secretYaml('ec', certificate(ec)),
    secretYaml('mutual', { ...certificate(wild), 'ca.crt': clientCa.cert }),
    secretYaml('optional', certificate(wild)),
    secretYaml('clients', { cacert: clientCa.cert }),
    secretYaml('foreign', certificate(wild), 'bank'),
  ].join('')
}

function configuration(): string {
  const https = (plane: Plane, host: string, settings: string, name = host) =>
    `    - { bind: ${ip[plane]}, port: { number: ${HTTPS}, name: ${name}, protocol: HTTPS }, hosts: ["${host}.example.com"], tls: { ${settings} } }`
  const mesh = (plane: Plane, host: string, protocol: string, settings: string) =>
    `    - { bind: ${ip[plane]}, port: { number: ${MESH}, name: ${host}, protocol: ${protocol} }, hosts: [${host}.example.com], tls: { mode: ISTIO_MUTUAL${settings} } }`
  const servers = (plane: Plane) => [
    https(plane, 'simple', 'mode: SIMPLE, credentialName: simple'),
    https(plane, '*', 'mode: SIMPLE, credentialName: wild', 'wild'),
    https(plane, 'pair', 'mode: SIMPLE, credentialNames: [rsa, ec]'),
    https(plane, 'mutual', 'mode: MUTUAL, credentialName: mutual'),
    https(plane, 'optional', 'mode: OPTIONAL_MUTUAL, credentialName: optional, caCertCredentialName: clients'),
    https(
      plane,
      'old',
      'mode: SIMPLE, credentialName: wild, maxProtocolVersion: TLSV1_2, cipherSuites: [ECDHE-ECDSA-AES256-GCM-SHA384]',
    ),
    https(plane, 'twice', 'mode: SIMPLE, credentialName: wild'),
    https(plane, 'twice', 'mode: SIMPLE, credentialName: simple', 'again'),
    https(plane, 'foreign', 'mode: SIMPLE, credentialName: foreign'),
    https(plane, 'late', `mode: SIMPLE, credentialName: late-${plane}`),
    `    - { bind: ${ip[plane]}, port: { number: ${PLAIN}, name: http, protocol: HTTP }, hosts: ["*"], tls: { httpsRedirect: true } }`,
    `    - { bind: ${ip[plane]}, port: { number: ${PASSED}, name: tls, protocol: TLS }, hosts: ["*.internal", "*.org"], tls: { mode: AUTO_PASSTHROUGH } }`,
    mesh(plane, 'mesh', 'HTTPS', ''),
    mesh(plane, 'others', 'HTTPS', ', subjectAltNames: ["spiffe://cluster.local/ns/bank/sa/default"]'),
    mesh(plane, 'bytes', 'TLS', ''),
  ]
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
  const served = [
    'simple',
    'www',
    'blog',
    'pair',
    'mutual',
    'optional',
    'old',
    'twice',
    'foreign',
    'late',
    'mesh',
    'others',
  ]
  return `${gateways.join('\n')}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: backend }
spec:
  hosts: [backend.internal]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }, { number: 9443, name: tls, protocol: TLS }, { number: 9081, name: tcp, protocol: TCP }]
  endpoints: [{ address: ${BACKEND} }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: member }
spec:
  hosts: [member.internal]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: 9443, name: tls, protocol: TLS }]
  endpoints: [{ address: ${BACKEND}, labels: { security.istio.io/tlsMode: istio } }]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: outside }
spec:
  hosts: [outside.example.org]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports: [{ number: 9080, name: http, protocol: HTTP }]
  endpoints: [{ address: ${BACKEND} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web }
spec:
  hosts: [${served.map((name) => `${name}.example.com`).join(', ')}]
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
