import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ManualClock } from '../../../lib/clock.ts'
import { clientHello } from '../../../proxy/listener/testing/client-hello.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { eventually } from '../../support/eventually.ts'
import { LineServer } from '../../support/line-server.ts'
import {
  cluster,
  HTTP_INSPECTOR,
  httpChain,
  listener,
  resources,
  TLS_INSPECTOR,
  tcpChain,
  typed,
} from '../../support/static-resources.ts'
import { sendPlain } from '../../support/tls-clients.ts'

const closing: { close(): void }[] = []
afterEach(() => {
  for (const one of closing.splice(0)) one.close()
})

const HTTP_PROTOCOLS = { filter_chain_match: { application_protocols: ['http/1.0', 'http/1.1', 'h2c'] } }
const PROXY_PROTOCOL = { name: 'proxy', typed_config: typed('filters.listener.proxy_protocol.v3.ProxyProtocol') }

async function start(fields: object, clock?: ManualClock) {
  const server = new LineServer('tcp')
  const port = await server.listen()
  const proxy = new BootstrapProxy(clock === undefined ? {} : { clock })
  await proxy.serve(
    resources(
      [listener('l', { filter_chains: [httpChain('http', HTTP_PROTOCOLS), tcpChain('c')], ...fields })],
      [cluster('c', [port])],
    ),
  )
  closing.push(proxy, server)
  return { proxy, server, port: proxy.port('l') }
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'

/** Sends these pieces, each once the proxy has had time to read the one before. */
async function sendInPieces(port: number, pieces: readonly Buffer[]): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  for (const piece of pieces) {
    await new Promise((resolve) => socket.write(piece, resolve))
    await new Promise((resolve) => setImmediate(resolve))
  }
  return socket
}

function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    socket.on('close', () => resolve(text))
  })
}

test('HTTP is told from other protocols on one port', async () => {
  const { port, proxy } = await start({ listener_filters: [TLS_INSPECTOR, HTTP_INSPECTOR] })
  expect(await sendPlain(port, REQUEST)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*http$/)
  const socket = await sendInPieces(port, [Buffer.from('HELO x\n')])
  const text = readAll(socket)
  await eventually(() => expect(proxy.stat('tcp.downstream_cx_active')).toBe(1))
  socket.end()
  expect(await text).toBe('tcp\nHELO x\nbye')
})

test('a server that speaks first is heard after the time-out', async () => {
  const clock = new ManualClock()
  const fields = { listener_filters: [TLS_INSPECTOR, HTTP_INSPECTOR], continue_on_listener_filters_timeout: true }
  const { port, proxy, server } = await start({ ...fields, listener_filters_timeout: '5s' }, clock)
  const socket = await sendInPieces(port, [])
  const text = readAll(socket)
  await eventually(() => expect(proxy.stat('listener.downstream_pre_cx_active')).toBe(1))
  clock.advance(4900)
  expect(server.connections).toBe(0)
  clock.advance(200)
  await eventually(() => expect(server.connections).toBe(1))
  socket.end('late')
  expect(await text).toBe('tcp\nlatebye')
  expect(proxy.stat('listener.downstream_pre_cx_timeout')).toBe(1)
})

test('what came before the time-out is not lost', async () => {
  const clock = new ManualClock()
  const fields = { listener_filters: [TLS_INSPECTOR, HTTP_INSPECTOR], continue_on_listener_filters_timeout: true }
  const { port, proxy } = await start(fields, clock)
  const socket = await sendInPieces(port, [Buffer.from('GET /half')])
  const text = readAll(socket)
  await eventually(() => expect(proxy.stat('tls_inspector.tls_not_found')).toBe(1))
  clock.advance(15_100)
  await eventually(() => expect(proxy.stat('tcp.downstream_cx_active')).toBe(1))
  socket.end(' and more')
  expect(await text).toBe('tcp\nGET /half and morebye')
})

test('without leave to go on, a silent client is closed', async () => {
  const clock = new ManualClock()
  const { port, proxy, server } = await start({ listener_filters: [TLS_INSPECTOR] }, clock)
  const text = readAll(await sendInPieces(port, []))
  await eventually(() => expect(proxy.stat('listener.downstream_pre_cx_active')).toBe(1))
  clock.advance(15_100)
  expect([await text, server.connections]).toEqual(['', 0])
})

test('a client that ends before it is told is closed and counted', async () => {
  const { port, proxy } = await start({ listener_filters: [TLS_INSPECTOR] })
  const socket = await sendInPieces(port, [Buffer.from('1603', 'hex')])
  const text = readAll(socket)
  socket.end()
  expect(await text).toBe('')
  expect(proxy.stat('listener.downstream_listener_filter_remote_close')).toBe(1)
  await eventually(() => expect(proxy.plane.connectionCount).toBe(0))
})

test('a PROXY header chooses the chain by who it names', async () => {
  const { port, proxy } = await start({
    listener_filters: [PROXY_PROTOCOL],
    filter_chains: [
      httpChain('inside', {
        filter_chain_match: { source_prefix_ranges: [{ address_prefix: '10.0.0.0', prefix_len: 8 }] },
      }),
      httpChain('elsewhere', { filter_chain_match: { destination_port: 443 } }),
      httpChain('outside'),
    ],
  })
  const ask = (header: string | Buffer) => sendPlain(port, Buffer.concat([Buffer.from(header), Buffer.from(REQUEST)]))
  expect(await ask('PROXY TCP4 10.1.2.3 192.0.2.1 1 80\r\n')).toMatch(/inside$/)
  expect(await ask('PROXY TCP4 192.0.2.9 192.0.2.1 1 80\r\n')).toMatch(/outside$/)
  expect(await ask('PROXY TCP4 192.0.2.9 192.0.2.1 1 443\r\n')).toMatch(/elsewhere$/)
  expect(await ask('PROXY UNKNOWN\r\n')).toMatch(/outside$/)
  expect(await ask('PROXY NONSENSE\r\n')).toBe('')
  expect(await ask('')).toBe('')
  expect(proxy.stat('proxy_proto.not_found_disallowed')).toBe(1)
  expect(proxy.stat('listener.downstream_listener_filter_error')).toBe(2)
})

test('random first bytes, cut at random places, break nothing', async () => {
  const { port, proxy } = await start({
    listener_filters: [
      {
        ...PROXY_PROTOCOL,
        typed_config: typed('filters.listener.proxy_protocol.v3.ProxyProtocol', {
          allow_requests_without_proxy_protocol: true,
        }),
      },
      TLS_INSPECTOR,
      HTTP_INSPECTOR,
    ],
  })
  const known = fc.constantFrom(
    clientHello({ serverName: 'a.example', protocols: ['h2'] }),
    Buffer.from(REQUEST),
    Buffer.from('PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n'),
    Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'),
  )
  const start0 = fc.oneof(
    known,
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  )
  const edits = fc.array(fc.tuple(fc.nat(150), fc.nat(255)), { maxLength: 3 })
  await fc.assert(
    fc.asyncProperty(start0, edits, fc.nat(100), async (given, changes, cut) => {
      const bytes = Buffer.from(given)
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      const socket = await sendInPieces(
        port,
        [bytes.subarray(0, cut), bytes.subarray(cut)].filter((piece) => piece.length > 0),
      )
      const text = readAll(socket)
      socket.end()
      await text
    }),
    { numRuns: 150 },
  )
  expect(proxy.stat('bug_total')).toBe(0)
  await eventually(() => expect(proxy.plane.connectionCount).toBe(0))
  expect(proxy.stat('listener.downstream_cx_active')).toBe(0)
  expect(proxy.stat('listener.downstream_pre_cx_active')).toBe(0)
}, 60_000)
