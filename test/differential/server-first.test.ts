import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { MemorySource } from '../../config/sources/memory.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { IdentityMesh, member, meshMode, serving } from '../support/identity-mesh.ts'
import { LineServer } from '../support/line-server.ts'
import { canConnect, loopbackBlock } from '../support/mesh.ts'
import { PLANES, type Plane } from './mesh-pair.ts'

/** A server that speaks first (as MySQL's and SMTP's do), behind a port that takes mutual TLS and plain text. */

const envoy = peerOrSkip('envoy')
const planes: readonly Plane[] = envoy === undefined ? ['lateen'] : PLANES
const block = loopbackBlock()
const ip: Record<Plane, string> = { envoy: `${block}.21`, lateen: `${block}.22` }
const PORT = 3306
/** Well under Envoy's own 15 s for the first bytes. */
const PATIENCE_MS = 8_000

const server = new LineServer('hello')
let source: MemorySource
let mesh: IdentityMesh

const callee = (plane: Plane) => member(`callee-${plane}`, ip[plane])

beforeAll(async () => {
  const port = await server.listen()
  source = new MemorySource({
    'workloads.yaml': PLANES.map((plane) => serving(callee(plane), PORT, port, 'tcp')).join(''),
    'mode.yaml': meshMode('PERMISSIVE'),
  })
  expect(source.current().findings).toEqual([])
  mesh = new IdentityMesh(source)
  await mesh.start()
  await mesh.addProxy(callee('lateen'))
  if (envoy !== undefined) await mesh.addEnvoy(envoy, callee('envoy'))
  for (const plane of planes) await eventually(() => canConnect(ip[plane], PORT), 30_000)
}, 90_000)

afterAll(async () => {
  await mesh.stop()
  source.close()
  server.close()
}, 20_000)

/** What a client reads that says nothing; '' when the connection ends, or nothing comes in time. */
function greeting(socket: Socket, patienceMs = PATIENCE_MS): Promise<string> {
  return new Promise((resolve) => {
    const end = (text: string) => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(patienceMs, () => end(''))
    socket.once('data', (bytes) => end(bytes.toString()))
    socket.on('error', () => end(''))
    socket.on('close', () => end(''))
  })
}

test.each(planes)('%s: a client that waits in plain text is greeted', async (plane) => {
  expect(await greeting(connect(PORT, ip[plane]))).toBe('hello\n')
})

test.each(planes)('%s: and so is one that waits behind mutual TLS', async (plane) => {
  const { chain: cert, privateKey: key } = await mesh.certificateOf('callee-lateen')
  const options = { host: ip[plane], port: PORT, cert, key, ALPNProtocols: ['istio'], rejectUnauthorized: false }
  expect(await greeting(connectTls(options))).toBe('hello\n')
})

test.each(planes)(
  '%s: where mutual TLS is a must, who says nothing is told nothing',
  async (plane) => {
    source.set('mode.yaml', meshMode('STRICT'))
    await eventually(async () => {
      const socket = connect(PORT, ip[plane])
      socket.write('hello?')
      expect(await greeting(socket)).toBe('')
    })
    // Longer than it would take where both are taken.
    expect(await greeting(connect(PORT, ip[plane]), 2_500)).toBe('')
  },
  30_000,
)
