import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { webSocketAccept } from '../../proxy/stream/websocket.ts'
import { eventually } from '../support/eventually.ts'
import { StaticProxy, type StaticProxyOptions } from '../support/static-proxy.ts'

/** Tunnels seen from close by: what HTTP/2 and HTTP/1.1 make of each other's upgrades, and CONNECT. */

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const UPGRADES = { upgrade_configs: [{ upgrade_type: 'websocket' }, { upgrade_type: 'CONNECT' }] }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function start(options: StaticProxyOptions): Promise<StaticProxy> {
  const proxy = await StaticProxy.start({ ...options, manager: { ...UPGRADES, ...options.manager } })
  ends.push(() => proxy.stop())
  return proxy
}

async function listen(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** What each socket of a server has received. */
const collected = new WeakMap<Socket, { text: string }>()

/** An HTTP/1.1 server that answers every head with what `answer` makes of it, and echoes what comes then. */
async function rawServer(answer: (head: string) => string, seen: Socket[] = []): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    seen.push(socket)
    collected.set(socket, collect(socket))
    ends.push(() => socket.destroy())
    socket.on('error', () => {})
    let head = ''
    socket.on('data', (chunk) => {
      if (head.includes('\r\n\r\n')) {
        socket.write(chunk)
        return
      }
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.write(answer(head.slice(0, end + 4)))
      if (head.length > end + 4) socket.write(head.slice(end + 4), 'latin1')
    })
    socket.on('end', () => socket.end())
  })
  ends.push(() => server.close())
  return listen(server)
}

function http2Client(port: number) {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  ends.push(() => session.destroy())
  return session
}

/** All that comes on a socket until it ends, as it grows. */
function collect(socket: Socket): { text: string; isEnded: boolean } {
  const got = { text: '', isEnded: false }
  socket.on('data', (chunk) => {
    got.text += chunk.toString('latin1')
  })
  socket.on('end', () => {
    got.isEnded = true
  })
  socket.on('error', () => {})
  return got
}

function raw(port: number, text: string) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.write(text, 'latin1'))
  ends.push(() => socket.destroy())
  return { socket, got: collect(socket) }
}

const upgrade = (key: string) =>
  `GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: ${key}\r\n\r\n`

const webSocket = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', 'sec-websocket-version': '13' }

async function extendedConnect(port: number) {
  const session = http2Client(port)
  await new Promise((resolve) => session.once('remoteSettings', resolve))
  const stream = session.request(webSocket)
  ends.push(() => stream.destroy())
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
  })
  stream.on('error', () => {})
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.on('response', resolve))
  return { stream, headers, text: () => text }
}

test('an HTTP/2 client without a key gets a WebSocket of an HTTP/1.1 server, which is given a key', async () => {
  let head = ''
  const port = await rawServer((received) => {
    head = received
    const key = /sec-websocket-key: (\S+)/i.exec(received)?.[1] ?? ''
    const accept = `Sec-WebSocket-Accept: ${webSocketAccept(key)}`
    return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${accept}\r\n\r\n`
  })
  const { port: at } = await start({ upstreams: [port] })
  const { stream, headers, text } = await extendedConnect(at)
  expect(headers[':status']).toBe(200)
  expect(headers).not.toHaveProperty('sec-websocket-accept')
  expect(head).toMatch(/^GET \/chat HTTP\/1.1\r\n/)
  expect(Buffer.from(/sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '', 'base64')).toHaveLength(16)
  expect(head).toMatch(/\r\nupgrade: websocket\r\n/i)
  expect(head).toMatch(/\r\nconnection: upgrade\r\n/i)
  expect(head).not.toMatch(/transfer-encoding|content-length/i)
  stream.write('through')
  await eventually(() => expect(text()).toBe('through'))
  stream.end()
  await new Promise((resolve) => stream.on('close', resolve))
})

test('a server that does not answer our own key rightly is no WebSocket', async () => {
  const port = await rawServer(
    () =>
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n',
  )
  const { port: at } = await start({ upstreams: [port] })
  expect((await extendedConnect(at)).headers[':status']).toBe(502)
})

test('an HTTP/1.1 client gets the answer to its key though HTTP/2 has none', async () => {
  const server = createHttp2Server({ settings: { enableConnectProtocol: true } })
  let seen: Record<string, unknown> = {}
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    seen = headers
    stream.respond({ ':status': 200 })
    stream.pipe(stream)
    stream.on('error', () => {})
  })
  ends.push(() => server.close())
  const { port } = await start({ upstreams: [await listen(server)], upstreamProtocol: 'http2' })
  const { socket, got } = raw(port, upgrade(KEY))
  await eventually(() => expect(got.text).toContain('\r\n\r\n'))
  expect(got.text).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/)
  expect(got.text).toContain(`sec-websocket-accept: ${webSocketAccept(KEY)}\r\n`)
  expect(seen).toMatchObject({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/chat', ':scheme': 'http' })
  socket.write('through')
  await eventually(() => expect(got.text).toMatch(/\r\n\r\nthrough$/))
  socket.end()
  await eventually(() => expect(got.isEnded).toBe(true))
})

test('extended CONNECT is announced only where upgrades are', async () => {
  const announced = async (manager: Record<string, unknown>) => {
    const session = http2Client((await start({ upstreams: [1], manager })).port)
    const settings = await new Promise<unknown>((resolve) => session.once('remoteSettings', resolve))
    return (settings as { enableConnectProtocol: boolean }).enableConnectProtocol
  }
  expect(await announced({})).toBe(true)
  expect(await announced({ upgrade_configs: [] })).toBe(false)
})

test('what comes before an upgrade is accepted does not reach an upstream that refuses it', async () => {
  const seen: Socket[] = []
  const port = await rawServer(() => 'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n', seen)
  const { port: at } = await start({ upstreams: [port] })
  const session = http2Client(at)
  await new Promise((resolve) => session.once('remoteSettings', resolve))
  const stream = session.request(webSocket)
  stream.on('error', () => {})
  stream.write('GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n')
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.on('response', resolve))
  expect(headers[':status']).toBe(403)
  stream.destroy()
  const head = `GET /chat HTTP/1.1\r\n`
  expect(seen.map((socket) => collected.get(socket)?.text.startsWith(head))).toEqual([true])
  expect(seen.map((socket) => collected.get(socket)?.text.includes('smuggled'))).toEqual([false])
})

const CONNECT_OK = 'HTTP/1.1 200 OK\r\n\r\n'

test('CONNECT is a tunnel, each half of which ends by itself', async () => {
  const seen: Socket[] = []
  const port = await rawServer(() => CONNECT_OK, seen)
  const { port: at } = await start({ upstreams: [port] })
  const { socket, got } = raw(at, 'CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n')
  await eventually(() => expect(got.text).toMatch(/^HTTP\/1.1 200 .*\r\n\r\n$/s))
  expect(got.text).not.toMatch(/content-length|transfer-encoding/i)
  const [upstream] = seen as [Socket]
  // The server says that it is done; what the client still sends arrives.
  upstream.removeAllListeners('data')
  const at2 = collect(upstream)
  upstream.end('last words')
  await eventually(() => expect(got.text).toMatch(/last words$/))
  await eventually(() => expect(got.isEnded).toBe(true))
  socket.write('still here')
  await eventually(() => expect(at2.text).toBe('still here'))
  socket.end()
  await eventually(() => expect(at2.isEnded).toBe(true))
})

test('CONNECT over HTTP/2 is a tunnel', async () => {
  const seen: Socket[] = []
  const port = await rawServer(() => CONNECT_OK, seen)
  const proxy = await start({ upstreams: [port] })
  const session = http2Client(proxy.port)
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'db:5432' })
  stream.write('early ')
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
  })
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.on('response', resolve))
  expect(headers[':status']).toBe(200)
  stream.write('late')
  await eventually(() => expect(text).toBe('early late'))
  stream.end()
  await new Promise((resolve) => stream.on('close', resolve))
  await eventually(() => expect(proxy.metric('cluster.upstream_rq_active')).toBe(0))
})

test('a tunnel in which nothing passes is ended by the idle time-out', async () => {
  const proxy = await start({
    upstreams: [await rawServer(() => CONNECT_OK)],
    manager: { stream_idle_timeout: '0.2s' },
  })
  const { got } = raw(proxy.port, 'CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n')
  await eventually(() => expect(got.isEnded).toBe(true))
  expect(proxy.metric('http.downstream_rq_idle_timeout')).toBe(1)
  const session = http2Client(proxy.port)
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'db:5432' })
  stream.on('error', () => {})
  await new Promise((resolve) => stream.on('close', resolve))
  expect(proxy.metric('http.downstream_rq_idle_timeout')).toBe(2)
})

test('CONNECT that is not enabled is 403', async () => {
  const proxy = await start({ upstreams: [1], manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] } })
  const { got } = raw(proxy.port, 'CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n')
  await eventually(() => expect(got.text).toMatch(/^HTTP\/1.1 403 /))
})
