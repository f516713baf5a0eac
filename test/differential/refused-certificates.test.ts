import { generateKeyPairSync, randomBytes, type X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect, createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { MemorySource } from '../../config/sources/memory.ts'
import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { type CertificateSpec, makeCertificate } from '../../lib/x509/certificate.ts'
import { createAuthority, readMaterial } from '../../pilot/ca/material.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { calling, IdentityMesh, member, meshMode, serving } from '../support/identity-mesh.ts'
import { canConnect, loopbackBlock } from '../support/mesh.ts'
import { sendRaw } from '../support/raw-http.ts'
import { PLANES, type Plane } from './mesh-pair.ts'

/**
 * Certificates that must not be believed, shown by clients to the proxies of the mesh, and by who answers in the place of one of its
 * services. Real Envoy and our proxy both refuse each, and both take the one that is as it should be.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? describe.skip : describe
const planes: readonly Plane[] = envoy === undefined ? ['lateen'] : PLANES

const block = loopbackBlock()
const CALLER = { envoy: member('caller-envoy', `${block}.11`), lateen: member('caller-lateen', `${block}.12`) }
const CALLEE = { envoy: member('callee-envoy', `${block}.21`), lateen: member('callee-lateen', `${block}.22`) }
/** A service of the mesh, in whose place somebody else answers. */
const TAKEN = member('taken', `${block}.31`)
const PORT = 9080
const HOUR_MS = 3_600_000

let app: Server
let impostor: TlsServer
let source: MemorySource
let mesh: IdentityMesh

beforeAll(async () => {
  app = createServer((_, response) => response.end('hello'))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const { port } = app.address() as AddressInfo
  const workloads = PLANES.map((plane) => serving(CALLEE[plane], PORT, port) + calling(CALLER[plane], PORT))
  source = new MemorySource({
    'mesh.yaml': [...workloads, serving(TAKEN, PORT, port)].join(''),
    'mode.yaml': meshMode('STRICT'),
    // Each call has a connection of its own, and is tried once.
    'rule.yaml': `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: taken }
spec: { host: taken, trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 1 } } } }
`,
  })
  expect(source.current().findings).toEqual([])
  mesh = new IdentityMesh(source)
  await mesh.start()
  impostor = createTlsServer(
    { requestCert: true, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] },
    (socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nbelieved'))
    },
  )
  impostor.on('tlsClientError', () => {})
  impostor.setSecureContext(shown(whole('taken')))
  await new Promise<void>((resolve) => impostor.listen(PORT, TAKEN.ip, resolve))
  for (const role of [CALLER, CALLEE]) {
    await mesh.addProxy(role.lateen)
    if (envoy !== undefined) await mesh.addEnvoy(envoy, role.envoy)
  }
  for (const plane of planes) {
    for (const { ip } of [CALLER[plane], CALLEE[plane]]) await eventually(() => canConnect(ip, PORT), 30_000)
  }
}, 90_000)

afterAll(async () => {
  await mesh.stop()
  source.close()
  app.close()
  impostor.close()
}, 20_000)

const idOf = (account: string) => [{ type: 'uri', value: `spiffe://cluster.local/ns/default/sa/${account}` }] as const

/** A certificate that is right in all, of a workload of the mesh. */
const whole = (account: string): Made => ({ names: idOf(account) })

interface Made extends Partial<CertificateSpec> {
  readonly signer?: { readonly certificate: X509Certificate; readonly key: ReturnType<typeof readMaterial>['key'] }
}

function shown({ signer, ...fields }: Made): { cert: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const nowMs = systemClock.wallMs()
  const spec: CertificateSpec = {
    publicKey,
    organization: '',
    names: [],
    isAuthority: false,
    notBeforeMs: nowMs - HOUR_MS,
    notAfterMs: nowMs + HOUR_MS,
    serial: randomBytes(16),
    ...fields,
  }
  const cert = makeCertificate(spec, signer ?? readMaterial(mesh.file('ca'), silentLogger))
  return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** Another mesh's, of the same name. */
function otherRoot(): NonNullable<Made['signer']> {
  const dir = mesh.file(`other-${randomBytes(4).toString('hex')}`)
  createAuthority(dir, 'cluster.local', systemClock)
  return readMaterial(dir, silentLogger)
}

const WRONG: readonly (readonly [string, (account: string) => Made])[] = [
  ['that has ended', (account) => ({ ...whole(account), notAfterMs: systemClock.wallMs() - 60_000 })],
  ['that is not valid yet', (account) => ({ ...whole(account), notBeforeMs: systemClock.wallMs() + 60_000 })],
  ['of another root', (account) => ({ ...whole(account), signer: otherRoot() })],
]

/** Whether a request over a connection with this certificate is answered. */
function isAnswered(plane: Plane, made: Made): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { host: CALLEE[plane].ip, port: PORT, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }
    const socket = connect({ ...options, ...shown(made) }, () =>
      socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
    )
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(text.startsWith('HTTP/1.1 200')))
  })
}

async function answerOf(plane: Plane, made: Made): Promise<{ status: number; body: string }> {
  impostor.setSecureContext(shown(made))
  const { status, body } = await sendRaw(
    CALLER[plane].ip,
    PORT,
    'GET / HTTP/1.1\r\nHost: taken\r\nConnection: close\r\n\r\n',
  )
  return { status, body: body.toString() }
}

withEnvoy.each(planes.map((plane) => [plane] as const))('%s', (plane) => {
  test('answers a client with a certificate that is as it should be', async () => {
    await eventually(async () => expect(await isAnswered(plane, whole('anyone'))).toBe(true))
  })

  test.each<readonly [string, Made | (() => Made)]>([
    ...WRONG.map(([what, make]) => [what, () => make('anyone')] as const),
    ['that is a server’s', () => ({ ...whole('anyone'), roles: ['server'] as const })],
  ])('does not answer a client with one %s', async (_what, make) => {
    expect(await isAnswered(plane, typeof make === 'function' ? make() : make)).toBe(false)
  })

  test('calls whoever has the certificate of the workload that should be there', async () => {
    await eventually(async () => {
      expect(await answerOf(plane, whole('taken'))).toEqual({ status: 200, body: 'believed' })
    })
  })

  test.each<readonly [string, () => Made]>([
    ...WRONG.map(([what, make]) => [what, () => make('taken')] as const),
    ['of another workload', () => whole('somebody-else')],
    [
      'of a workload of another namespace',
      () => ({ names: [{ type: 'uri', value: 'spiffe://cluster.local/ns/other/sa/taken' }] }),
    ],
    ['of another trust domain', () => ({ names: [{ type: 'uri', value: 'spiffe://elsewhere/ns/default/sa/taken' }] })],
    [
      'with its name as a DNS name',
      () => ({ names: [{ type: 'dns', value: 'spiffe://cluster.local/ns/default/sa/taken' }] }),
    ],
    ['that is a client’s', () => ({ ...whole('taken'), roles: ['client'] as const })],
  ])('does not believe who answers with one %s', async (_what, make) => {
    const { status, body } = await answerOf(plane, make())
    expect(status).toBe(503)
    expect(body).not.toContain('believed')
  })
})
