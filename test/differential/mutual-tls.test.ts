import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { MemorySource } from '../../config/sources/memory.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { calling, IdentityMesh, member, meshMode, serving } from '../support/identity-mesh.ts'
import { canConnect, loopbackBlock } from '../support/mesh.ts'
import { sendRaw } from '../support/raw-http.ts'
import { run } from '../support/tls-clients.ts'
import { PLANES, type Plane } from './mesh-pair.ts'

/**
 * Real Envoy and our proxy call each other by certificates that both have of our pilot, without a rule that says so. Each serves one
 * application and calls for another; openssl and curl are those from elsewhere.
 */

const envoy = peerOrSkip('envoy')
const planes: readonly Plane[] = envoy === undefined ? ['lateen'] : PLANES
const withEnvoy = envoy === undefined ? describe.skip : describe

const block = loopbackBlock()
const CALLER: Record<Plane, string> = { envoy: `${block}.11`, lateen: `${block}.12` }
const CALLEE: Record<Plane, string> = { envoy: `${block}.21`, lateen: `${block}.22` }
const PORT = 9080

let app: Server
let source: MemorySource
let mesh: IdentityMesh

const caller = (plane: Plane) => member(`caller-${plane}`, CALLER[plane])
const callee = (plane: Plane, labels?: Record<string, string>) => member(`callee-${plane}`, CALLEE[plane], labels)

function workloads(labels?: Record<string, string>): string {
  const { port } = app.address() as AddressInfo
  return PLANES.map((plane) => serving(callee(plane, labels), PORT, port) + calling(caller(plane), PORT)).join('')
}

beforeAll(async () => {
  app = createServer((request, response) => response.end(String(request.headers['x-forwarded-client-cert'] ?? 'plain')))
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  source = new MemorySource({
    'workloads.yaml': workloads(),
    'mode.yaml': meshMode('STRICT'),
  })
  expect(source.current().findings).toEqual([])
  mesh = new IdentityMesh(source)
  await mesh.start()
  for (const role of [caller, callee]) {
    await mesh.addProxy(role('lateen'))
    if (envoy !== undefined) await mesh.addEnvoy(envoy, role('envoy'))
  }
  for (const plane of planes) {
    await eventually(() => canConnect(CALLER[plane], PORT), 30_000)
    await eventually(() => canConnect(CALLEE[plane], PORT), 30_000)
  }
}, 90_000)

afterAll(async () => {
  await mesh.stop()
  source.close()
  app.close()
}, 20_000)

const request = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
const call = (from: Plane, to: Plane) => sendRaw(CALLER[from], PORT, request(`callee-${to}`))
const callInPlainText = (to: Plane) => sendRaw(CALLEE[to], PORT, request(`callee-${to}`))

function mutual(from: Plane, to: Plane): RegExp {
  const id = (account: string) => `spiffe:\\/\\/cluster\\.local\\/ns\\/default\\/sa\\/${account}`
  return new RegExp(`^By=${id(`callee-${to}`)};Hash=[0-9a-f]{64};Subject="";URI=${id(`caller-${from}`)}$`)
}

/** Each of both, to each of both: by mutual TLS, where the callee tells its application of whom the call comes, or not. */
async function expectCalls(expected: (from: Plane, to: Plane) => RegExp): Promise<void> {
  for (const from of planes) {
    for (const to of planes) {
      await eventually(async () => expect((await call(from, to)).body).toMatch(expected(from, to)), 15_000)
    }
  }
}

withEnvoy('real Envoy and ours', () => {
  test('call each other by mutual TLS where it is a must, and plain text is not answered', async () => {
    await expectCalls(mutual)
    for (const plane of planes) await expect(callInPlainText(plane)).rejects.toThrow()
  }, 60_000)

  test.each(planes)('%s does not answer whoever has no certificate, or one of another root', async (plane) => {
    const target = ['-connect', `${CALLEE[plane]}:${PORT}`, '-alpn', 'http/1.1', '-quiet', '-ign_eof']
    const without = await run('openssl', ['s_client', ...target], request('x'))
    expect(without.output).not.toContain('HTTP/1.1 200')
    const { chain, privateKey } = await mesh.certificateOf('caller-lateen')
    writeFileSync(mesh.file('foreign.pem'), chain)
    writeFileSync(mesh.file('foreign.key'), privateKey)
    const own = ['-cert', mesh.file('foreign.pem'), '-key', mesh.file('foreign.key')]
    const ca = ['-CAfile', mesh.file('ca/root-cert.pem'), '-verify_return_error']
    const withOne = await run('openssl', ['s_client', ...target, ...own, ...ca], request('x'))
    expect(withOne.output).toContain('HTTP/1.1 200')
    await selfSigned('stranger')
    const stranger = ['-cert', mesh.file('stranger.pem'), '-key', mesh.file('stranger.key')]
    expect((await run('openssl', ['s_client', ...target, ...stranger], request('x'))).output).not.toContain(
      'HTTP/1.1 200',
    )
  })

  test.each(planes)('curl is answered by %s with a certificate of the mesh', async (plane) => {
    const { chain, privateKey } = await mesh.certificateOf('caller-envoy')
    writeFileSync(mesh.file('curl.pem'), chain)
    writeFileSync(mesh.file('curl.key'), privateKey)
    // It cannot check a name that is an URI.
    const url = `https://${CALLEE[plane]}:${PORT}/`
    const own = ['--cert', mesh.file('curl.pem'), '--key', mesh.file('curl.key')]
    const { output } = await run('curl', ['-sS', '-k', ...own, url])
    expect(output).toContain('URI=spiffe://cluster.local/ns/default/sa/caller-envoy')
    const refused = await run('curl', ['-sS', '-k', url])
    expect(refused.code).not.toBe(0)
  })

  test('answer both where both may be, and go on calling by mutual TLS', async () => {
    source.set('mode.yaml', meshMode('PERMISSIVE'))
    for (const plane of planes) await eventually(async () => expect((await callInPlainText(plane)).body).toBe('plain'))
    await expectCalls(mutual)
  }, 60_000)

  test('call each other in plain text where mutual TLS is switched off', async () => {
    source.set('mode.yaml', meshMode('DISABLE'))
    await expectCalls(() => /^plain$/)
  }, 60_000)

  test('call whoever has no proxy in plain text', async () => {
    source.set('workloads.yaml', workloads({}))
    source.set('mode.yaml', meshMode('PERMISSIVE'))
    await expectCalls(() => /^plain$/)
    // Envoy keeps to the connections that it has; ours makes others.
    source.set('workloads.yaml', workloads())
    for (const to of planes) {
      await eventually(async () => expect((await call('lateen', to)).body).toMatch(mutual('lateen', to)), 15_000)
    }
  }, 60_000)
})

async function selfSigned(name: string): Promise<void> {
  const files = ['-keyout', mesh.file(`${name}.key`), '-out', mesh.file(`${name}.pem`)]
  const id = 'subjectAltName=URI:spiffe://cluster.local/ns/default/sa/caller-lateen'
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const made = await run('openssl', ['req', '-x509', ...key, '-days', '1', '-subj', '/CN=x', '-addext', id, ...files])
  expect(made.code).toBe(0)
}
