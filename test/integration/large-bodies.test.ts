import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { TestCa } from '../support/certificates.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** Large answers are passed on without a copy: whoever reads slowly, and whatever follows, every byte is the right one. */

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const ANSWERS = 12
const MAX_BYTES = 6 * 1024 * 1024

const random = seededRandom(seed)
/** What is answered to `/<n>`: bytes that differ at every place, so that none can stand for another. */
const bodies = Array.from({ length: ANSWERS }, (_, n) => {
  const body = Buffer.alloc(randomInt(random, MAX_BYTES))
  for (let i = 0; i + 4 <= body.length; i += 4) body.writeUInt32LE((i * 2_654_435_761 + n * 97) >>> 0, i)
  return body
})
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

let upstream: Server
let proxy: StaticProxy

const answer: RequestListener = (request, response) => {
  const body = bodies[Number(request.url?.slice(1).split('-')[0])] as Buffer
  if (!request.url?.endsWith('-chunked')) response.setHeader('content-length', body.length)
  // In pieces, so that an answer without a length comes in chunks of many sizes.
  for (let at = 0; at < body.length; at += 200_000) response.write(body.subarray(at, at + 200_000))
  response.end()
}

beforeAll(async () => {
  upstream = createServer(answer)
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as { port: number }
  // One upstream connection: what is read for one answer must not be touched by the next.
  proxy = await StaticProxy.start({
    upstreams: [port],
    cluster: { circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 1000 }] } },
  })
})

afterAll(async () => {
  await proxy.stop()
  upstream.closeAllConnections()
  upstream.close()
})

async function fetchSlowly(path: string, isSlow: boolean, { port } = proxy): Promise<string> {
  const hash = createHash('sha256')
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, agent: false }, resolve)
    asked.on('error', reject)
    asked.end()
  })
  for await (const chunk of response) {
    hash.update(chunk)
    if (isSlow && randomInt(random, 8) === 0) await pause(randomInt(random, 12))
  }
  return hash.digest('hex')
}

test.each(['length', 'chunked'])(
  `answers framed by %s come whole to slow and quick clients (seed ${seed})`,
  async (framing) => {
    const paths = bodies.map((_, n) => `/${n}${framing === 'chunked' ? '-chunked' : ''}`)
    const hashes = await Promise.all(paths.map((path, n) => fetchSlowly(path, n % 2 === 0)))
    expect(hashes).toEqual(bodies.map(hashOf))
    expect(proxy.metric('cluster.upstream_cx_total')).toBe(1)
  },
  60_000,
)

test('a client that leaves in the middle takes nothing from the next', async () => {
  for (let n = 0; n < ANSWERS; n++) {
    await new Promise<void>((resolve) => {
      const socket = connect(proxy.port, '127.0.0.1', () => socket.write(`GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`))
      socket.once('data', () => socket.destroy())
      socket.once('close', () => resolve())
    })
    const next = (n + 1) % ANSWERS
    expect(await fetchSlowly(`/${next}`, false)).toBe(hashOf(bodies[next] as Buffer))
  }
}, 60_000)

test('answers of a TLS upstream come whole too', async () => {
  const ca = new TestCa('large')
  const secure = createTlsServer(ca.issue('localhost'), answer)
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
  const typed_config = {
    '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
    common_tls_context: { validation_context: { trusted_ca: { filename: ca.certFile } } },
    sni: 'localhost',
  }
  const tlsProxy = await StaticProxy.start({
    upstreams: [(secure.address() as { port: number }).port],
    cluster: { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config } },
  })
  try {
    const hashes = await Promise.all(bodies.map((_, n) => fetchSlowly(`/${n}`, n % 2 === 0, tlsProxy)))
    expect(hashes).toEqual(bodies.map(hashOf))
  } finally {
    await tlsProxy.stop()
    secure.closeAllConnections()
    secure.close()
    ca.remove()
  }
}, 60_000)
