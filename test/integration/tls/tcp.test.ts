import { connect as connectPlain, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { seededRandom } from '../../../lib/random.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { LineServer } from '../../support/line-server.ts'
import {
  certificate,
  cluster,
  downstreamTls,
  listener,
  resources,
  TLS_INSPECTOR,
  tcpChain,
  upstreamTls,
} from '../../support/static-resources.ts'

const ca = new TestCa('tcp')
const leaf = ca.issue('a.example')
const own = { cert: leaf.cert, key: leaf.key }
const plain = new LineServer('plain')
const second = new LineServer('second')
const secure = new LineServer('secure', own)
// The seeded generator has 32 bits; the pick of a cluster looks at lower ones, too.
const dice = seededRandom(7)
const proxy = new BootstrapProxy({ random: { next: () => (dice.next() + dice.next() / 2 ** 32) % 1 } })
const trust = { validation_context: { trusted_ca: { filename: ca.certFile } } }
let closedPort = 0

const serverNames = (...server_names: string[]) => ({ filter_chain_match: { server_names } })

beforeAll(async () => {
  const [plainPort, secondPort, securePort] = await Promise.all(
    [plain, second, secure].map((server) => server.listen()),
  )
  closedPort = await freePort()
  const weighted = {
    clusters: [
      { name: 'plain', weight: 1 },
      { name: 'second', weight: 3 },
    ],
  }
  await proxy.serve(
    resources(
      [
        listener('passthrough', {
          listener_filters: [TLS_INSPECTOR],
          filter_chains: [tcpChain('secure', serverNames('a.example')), tcpChain('plain', serverNames('b.example'))],
        }),
        listener('terminate', {
          filter_chains: [
            tcpChain('plain', { transport_socket: downstreamTls({ tls_certificates: [certificate(leaf)] }) }),
          ],
        }),
        listener('originate', { filter_chains: [tcpChain('originate')] }),
        listener('both', {
          filter_chains: [
            tcpChain('originate', { transport_socket: downstreamTls({ tls_certificates: [certificate(leaf)] }) }),
          ],
        }),
        listener('distrust', { filter_chains: [tcpChain('distrust')] }),
        listener('weighted', {
          filter_chains: [tcpChain('', {}, { cluster: undefined, weighted_clusters: weighted })],
        }),
        listener('closed', { filter_chains: [tcpChain('closed', {}, { max_connect_attempts: 3 })] }),
        listener('missing', { filter_chains: [tcpChain('nowhere')] }),
        listener('missing over TLS', {
          filter_chains: [
            tcpChain('nowhere', { transport_socket: downstreamTls({ tls_certificates: [certificate(leaf)] }) }),
          ],
        }),
      ],
      [
        cluster('plain', [plainPort as number]),
        cluster('second', [secondPort as number]),
        cluster('secure', [securePort as number]),
        cluster('originate', [securePort as number], { transport_socket: upstreamTls(trust, { sni: 'a.example' }) }),
        cluster('distrust', [securePort as number], {
          transport_socket: upstreamTls({
            validation_context: {
              ...trust.validation_context,
              match_typed_subject_alt_names: [{ san_type: 'DNS', matcher: { exact: 'other' } }],
            },
          }),
        }),
        cluster('closed', [closedPort]),
      ],
    ),
  )
})
afterAll(() => {
  proxy.close()
  for (const server of [plain, second, secure]) server.close()
  ca.remove()
})

/** Says this, ends its half, and gives all that comes; rejects on a reset. */
function converse(socket: Socket, words: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
    socket.end(words)
  })
}

const plainly = (name: string) => connectPlain({ port: proxy.port(name), host: '127.0.0.1', allowHalfOpen: true })
const securely = (name: string) => {
  const options: ConnectionOptions & { allowHalfOpen: boolean } = {
    port: proxy.port(name),
    host: '127.0.0.1',
    servername: 'a.example',
    ca: ca.cert,
    allowHalfOpen: true,
  }
  return connect(options)
}

test('TLS passes through by its SNI, unopened', async () => {
  const socket = securely('passthrough')
  const text = converse(socket, 'hello')
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  expect(socket.getPeerCertificate().subject.CN).toBe('a.example')
  expect(await text).toBe('secure\nhellobye')
  expect(proxy.stat('listener.ssl.handshake')).toBe(0)
})

test.each([
  ['TLS in, plain out', 'terminate', securely, 'plain'],
  ['plain in, TLS out', 'originate', plainly, 'secure'],
  ['TLS in and out', 'both', securely, 'secure'],
] as const)('half-closed connections are carried to their end: %s', async (_what, name, dial, server) => {
  const words = 'x'.repeat(300_000)
  expect(await converse(dial(name), words)).toBe(`${server}\n${words}bye`)
  await eventually(() => expect(proxy.stat('tcp.downstream_cx_active')).toBe(0))
})

test('an upstream that is not who it must be gets nothing', async () => {
  const before = secure.connections
  await expect(converse(plainly('distrust'), 'secret')).rejects.toThrow(/ECONNRESET/)
  expect(proxy.stat('cluster.ssl.fail_verify_san')).toBe(2)
  expect(secure.connections - before).toBeLessThanOrEqual(2)
})

test('clusters are picked by their weight', async () => {
  const greetings = await Promise.all(Array.from({ length: 80 }, () => converse(plainly('weighted'), '')))
  const seconds = greetings.filter((text) => text === 'second\nbye').length
  expect(greetings.filter((text) => text === 'plain\nbye')).toHaveLength(80 - seconds)
  expect(seconds).toBeGreaterThan(45)
  expect(seconds).toBeLessThan(75)
})

test('connecting is tried as often as configured, then the client is reset', async () => {
  const before = proxy.stat('cluster.upstream_cx_connect_fail')
  await expect(converse(plainly('closed'), '')).rejects.toThrow(/ECONNRESET/)
  expect(proxy.stat('cluster.upstream_cx_connect_fail')).toBe(before + 3)
})

test('a cluster that is not there ends the connection, in plain text and TLS', async () => {
  await expect(converse(plainly('missing'), '')).rejects.toThrow(/ECONNRESET/)
  expect(await converse(securely('missing over TLS'), '').catch(() => '')).toBe('')
  expect(proxy.stat('tcp.downstream_cx_no_route')).toBe(2)
  expect(proxy.stat('bug_total')).toBe(0)
})

test('an idle connection is closed', async () => {
  const clock = new ManualClock()
  const idle = new BootstrapProxy({ clock })
  const upstream = new LineServer('idle')
  const upstreamPort = await upstream.listen()
  await idle.serve(
    resources(
      [listener('l', { filter_chains: [tcpChain('c', {}, { idle_timeout: '5s' })] })],
      [cluster('c', [upstreamPort])],
    ),
  )
  const socket = connectPlain({ port: idle.port('l'), host: '127.0.0.1' })
  const greeted = new Promise((resolve) => socket.once('data', resolve))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  await greeted
  clock.advance(4000)
  expect(idle.plane.connectionCount).toBe(1)
  clock.advance(1100)
  await closed
  await eventually(() => expect(idle.plane.connectionCount).toBe(0))
  idle.close()
  upstream.close()
})
