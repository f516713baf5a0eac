import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { type Issued, TestCa } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { loopbackBlock, type Workload } from '../support/mesh.ts'
import { LOAD_ANSWER, TlsLoad } from '../support/tls-load.ts'
import { MeshPair, PLANES, type Plane } from './mesh-pair.ts'
import { shown, tlsCall } from './tls-call.ts'

/**
 * The files of a gateway's server change while requests are under way, as Kubernetes changes mounted Secrets: none fails, connections
 * that there are live on, and new ones see the new files. The pilot knows nothing of it.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const block = loopbackBlock()
const ip: Record<Plane, string> = { envoy: `${block}.11`, lateen: `${block}.12` }
const BACKEND = `${block}.21`
const PORT = 8443
const HOST = 'shop.example.com'
const MUTUAL = 'mutual.example.com'
const CHANGES = 4

const ca = new TestCa('servers')
const [clientCa, nextClientCa] = [new TestCa('clients'), new TestCa('next clients')]
const [client, nextClient] = [clientCa.issue('client'), nextClientCa.issue('client')]
const revoked = clientCa.issue('revoked')
const issued = Array.from({ length: CHANGES }, (_, i) =>
  ca.issue(`number ${i}`, { altNames: [`DNS:${HOST}`, `DNS:${MUTUAL}`] }),
)

/** A directory of files as the kubelet makes it: `tls.crt` leads to `..data/tls.crt`, and `..data` to the directory of a version. */
class Mount {
  readonly dir: string
  #versions = 0

  constructor(dir: string, files: Record<string, string>) {
    this.dir = dir
    mkdirSync(dir)
    this.set(files)
    for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(dir, name))
  }

  set(files: Record<string, string>): void {
    const version = `..version-${this.#versions++}`
    mkdirSync(join(this.dir, version))
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.dir, version, name), text)
    symlinkSync(version, join(this.dir, '..data_tmp'))
    renameSync(join(this.dir, '..data_tmp'), join(this.dir, '..data'))
  }
}

const rootsOf = (authority: TestCa, ...gone: Issued[]) => ({
  'ca.crt': authority.cert,
  'ca.crl': authority.revocations(...gone),
})
const pairOf = ({ cert, key }: Issued) => ({ 'tls.crt': cert, 'tls.key': key })
const certificates = new Mount(join(ca.dir, 'mount'), pairOf(issued[0] as Issued))
const roots = new Mount(join(clientCa.dir, 'mount'), rootsOf(clientCa))

let http: Server
let pair: MeshPair

beforeAll(async () => {
  http = createServer((_request, response) => setTimeout(() => response.end(LOAD_ANSWER), 5))
  await new Promise<void>((resolve) => http.listen(9080, BACKEND, resolve))
  pair = new MeshPair(configuration())
  await pair.start(envoy, { envoy: workload('envoy'), lateen: workload('lateen') }, PORT)
  for (const plane of running) await eventually(async () => expect(await call(plane)).toContain(' 200 '), 20_000)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  http.closeAllConnections()
  http.close()
  for (const authority of [ca, clientCa, nextClientCa]) authority.remove()
}, 20_000)

const running: readonly Plane[] = envoy === undefined ? ['lateen'] : PLANES
const call = (plane: Plane, host = HOST, own?: Issued) =>
  tlsCall(ip[plane], PORT, { host, tls: { ca: ca.cert, ...(own && shown(own)) } })

let changes = 0

for (const plane of PLANES) {
  const run = plane === 'envoy' ? withEnvoy : test
  run(
    `${plane}: a certificate's files that change fail no request and end no connection`,
    async () => {
      const load = new TlsLoad(ip[plane], PORT, HOST, ca.cert)
      const isShown = (name: string) => eventually(() => expect(load.certificates).toContain(name), 10_000)
      await isShown(commonName(issued[changes % CHANGES] as Issued))
      for (let i = 0; i < 2; i++) {
        const next = issued[++changes % CHANGES] as Issued
        certificates.set(pairOf(next))
        await isShown(commonName(next))
      }
      await load.end()
      expect(load.failures).toEqual([])
    },
    30_000,
  )
}

test('a key that belongs to another certificate leaves the last good pair in force', async () => {
  const [good, other] = [issued[(changes + 1) % CHANGES], issued[changes % CHANGES]] as [Issued, Issued]
  await areShown(other)
  certificates.set({ 'tls.crt': good.cert, 'tls.key': other.key })
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  for (const plane of running) expect(await call(plane)).toContain(commonName(other))
  certificates.set(pairOf(good))
  await areShown(good)
}, 30_000)

test('the list of what is revoked', async () => {
  for (const plane of running) expect(await call(plane, MUTUAL, revoked)).toContain(' 200 ')
  roots.set(rootsOf(clientCa, revoked))
  for (const plane of running) {
    await eventually(async () => expect(await call(plane, MUTUAL, revoked)).toBe('refused'), 10_000)
    expect(await call(plane, MUTUAL, client)).toContain(' 200 ')
  }
}, 30_000)

test('the roots that clients must lead to', async () => {
  for (const plane of running) {
    expect(await call(plane, MUTUAL, client)).toContain(' 200 ')
    expect(await call(plane, MUTUAL, nextClient)).toBe('refused')
  }
  roots.set(rootsOf(nextClientCa))
  for (const plane of running) {
    await eventually(async () => expect(await call(plane, MUTUAL, nextClient)).toContain(' 200 '), 10_000)
    expect(await call(plane, MUTUAL, client)).toBe('refused')
  }
}, 30_000)

/** By both: each may be the first to see a change. */
async function areShown(one: Issued): Promise<void> {
  for (const plane of running) {
    await eventually(async () => expect(await call(plane)).toContain(commonName(one)), 10_000)
  }
}

function commonName(one: Issued): string {
  return `number ${issued.indexOf(one)}`
}

function workload(plane: Plane): Workload {
  return { type: 'router', ip: ip[plane], name: `gateway-${plane}`, labels: { app: plane } }
}

function configuration(): string {
  const files = `serverCertificate: ${certificates.dir}/tls.crt, privateKey: ${certificates.dir}/tls.key`
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
      tls: { mode: SIMPLE, ${files} }
    - bind: ${ip[plane]}
      port: { number: ${PORT}, name: mutual, protocol: HTTPS }
      hosts: [${MUTUAL}]
      tls: { mode: MUTUAL, ${files}, caCertificates: ${roots.dir}/ca.crt, caCrl: ${roots.dir}/ca.crl }
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
  hosts: [${HOST}, ${MUTUAL}]
  gateways: [${PLANES.join(', ')}]
  http: [{ route: [{ destination: { host: backend.internal } }] }]
`
}
