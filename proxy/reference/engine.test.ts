import { once } from 'node:events'
import { createServer, get, type Server, type ServerResponse } from 'node:http'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { eventually } from '../../test/support/eventually.ts'
import { EMPTY_PLAN } from '../plan/plan.ts'
import { clusterPlan, listenerPlan, typed } from '../plan/testing.ts'
import { ReferenceEngine, type ReferenceOptions } from './engine.ts'

/** What a reverse proxy by http-proxy must do here; another library in its place must pass this too. */

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function portOf(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  return (server.address() as { port: number }).port
}

async function start(upstreamPort: number, route: object = {}, options: ReferenceOptions = {}): Promise<number> {
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    statPrefix: 'h',
    routeConfig: {
      virtualHosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'c', ...route } }] },
      ],
    },
    upgradeConfigs: [{ upgradeType: 'websocket' }],
    httpFilters: [{ name: 'router', typedConfig: typed('filters.http.router.v3.Router') }],
  })
  const listener = listenerPlan({ filterChains: [{ filters: [{ name: 'http', typedConfig: manager }] }] })
  const address = { socketAddress: { address: '127.0.0.1', portValue: upstreamPort } }
  const endpoints = [{ lbEndpoints: [{ endpoint: { address } }] }]
  const cluster = clusterPlan({ loadAssignment: { clusterName: 'c', endpoints } })
  const plan = { ...EMPTY_PLAN, listeners: new Map([['l', listener]]), clusters: new Map([['c', cluster]]) }
  const engine = new ReferenceEngine(plan, listener, options)
  ends.push(() => engine.close())
  return engine.listen(0, '127.0.0.1')
}

/** Sends these bytes and gives all that comes before the close. */
async function exchange(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1', () => socket.write(request))
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.on('error', () => {})
  await once(socket, 'close')
  return text
}

test('clients that leave take their upstream responses with them', async () => {
  const open = new Set<ServerResponse>()
  const upstream = createServer((_request, response) => {
    open.add(response)
    response.on('close', () => open.delete(response))
    response.write('begun')
  })
  const port = await start(await portOf(upstream))
  ends.push(() => upstream.closeAllConnections())
  for (let i = 0; i < 50; i++) {
    await new Promise<void>((resolve) => {
      const asked = get({ port, host: '127.0.0.1', agent: false }, (response) => {
        response.once('data', () => {
          asked.destroy()
          resolve()
        })
      })
      asked.on('error', () => {})
    })
  }
  await eventually(() => expect(open.size).toBe(0))
})

test('a client that leaves before any answer is not waited for', async () => {
  const sockets = new Set<Socket>()
  const upstream = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
  })
  const port = await start(await portOf(upstream))
  const clients = Array.from({ length: 10 }, () => connect(port, '127.0.0.1'))
  for (const client of clients) client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
  await eventually(() => expect(sockets.size).toBe(10))
  for (const client of clients) client.destroy()
  await eventually(() => expect(sockets.size).toBe(0))
})

test('a WebSocket is a tunnel, both ends of which go with the other', async () => {
  let upstreamSocket: Socket | undefined
  const upstream = createServer()
  upstream.on('upgrade', (request, socket: Socket) => {
    upstreamSocket = socket
    const { connection, upgrade, 'x-forwarded-proto': proto } = request.headers
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${upgrade}\r\n\r\n${connection} ${proto} `,
    )
    socket.pipe(socket)
  })
  const port = await start(await portOf(upstream))
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString('latin1')))
  socket.write('GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
  await eventually(() => expect(text).toMatch(/^HTTP\/1\.1 101 .*Upgrade http $/is))
  socket.write('there and back')
  await eventually(() => expect(text.endsWith('there and back')).toBe(true))
  socket.destroy()
  await eventually(() => expect(upstreamSocket?.destroyed).toBe(true))
})

test('an upgrade that the upstream declines is its answer, whole', async () => {
  const upstream = createServer((_request, response) => response.writeHead(401, { 'x-a': 'b' }).end('who are you?'))
  const port = await start(await portOf(upstream))
  const text = await exchange(port, 'GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
  expect(text).toMatch(/^HTTP\/1\.1 401 .*x-a: b\r\n/s)
  expect(text).toContain('who are you?')
})

test('an upgrade that is not configured is 403', async () => {
  const port = await start(1)
  const text = await exchange(port, 'GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n')
  expect(text).toMatch(/^HTTP\/1\.1 403 /)
})

test('an upstream that refuses connections is 503, in our words', async () => {
  const closed = createTcpServer()
  const upstreamPort = await portOf(closed)
  await new Promise((resolve) => closed.close(resolve))
  const text = await exchange(await start(upstreamPort), 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  expect(text).toMatch(/^HTTP\/1\.1 503 .*upstream connect error/s)
  expect(text).toContain('server: lateen\r\n')
})

test('an answer that is none is 502, and one that is cut is cut', async () => {
  const upstream = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      const isFirst = bytes.toString('latin1').includes(' /bad ')
      socket.end(
        isFirst ? 'HTTP/1.1 2x0 OK\r\n\r\n' : 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n',
      )
    })
  })
  const port = await start(await portOf(upstream))
  expect(await exchange(port, 'GET /bad HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1\.1 502 /)
  const cut = await exchange(port, 'GET /cut HTTP/1.1\r\nHost: h\r\n\r\n')
  expect(cut).toContain('half')
  expect(cut).not.toContain('\r\n0\r\n')
})

test('an upstream that does not answer in the time of the route is 504', async () => {
  const clock = new ManualClock()
  let isAsked = false
  const upstream = createServer(() => {
    isAsked = true
  })
  const port = await start(await portOf(upstream), { timeout: '3s' }, { clock })
  ends.push(() => upstream.closeAllConnections())
  const answered = exchange(port, 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  await eventually(() => expect(isAsked).toBe(true))
  clock.advance(3001)
  expect(await answered).toMatch(/^HTTP\/1\.1 504 .*upstream request timeout/s)
})

test.each(['GET', 'DELETE', 'OPTIONS', 'POST'])(
  'a %s in chunks stays in chunks, and what belongs to the hop goes',
  async (method) => {
    const upstream = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => response.end(JSON.stringify({ headers: request.rawHeaders, url: request.url, body })))
    })
    const port = await start(await portOf(upstream))
    const fields =
      'Host: H:1\r\nX-A: 1\r\nX-A: 2\r\nX-Drop: 3\r\nTE: gzip\r\nKeep-Alive: 5\r\nConnection: close, x-drop\r\n'
    const request = `${method} /a|b?c="d" HTTP/1.1\r\n${fields}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
    const text = await exchange(port, request)
    const { headers, url, body } = JSON.parse(/\{.*\}/.exec(text)?.[0] ?? '{}') as Record<string, string>
    expect({ url, body }).toEqual({ url: '/a|b?c="d"', body: 'abc' })
    const lines = Array.from({ length: headers!.length / 2 }, (_, i) => `${headers![2 * i]}: ${headers![2 * i + 1]}`)
    expect(lines).toEqual(expect.arrayContaining(['Host: H:1', 'X-A: 1', 'X-A: 2', 'x-forwarded-proto: http']))
    expect(lines.join('\n')).not.toMatch(/x-drop|te: gzip|keep-alive: 5|content-length/i)
  },
)

test('connections to the upstream are used again', async () => {
  let connections = 0
  const upstream = createServer((_request, response) => response.end('ok'))
  upstream.on('connection', () => connections++)
  const port = await start(await portOf(upstream))
  for (let i = 0; i < 5; i++) await exchange(port, 'GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n')
  expect(connections).toBe(1)
  upstream.closeAllConnections()
})
