import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws'
import { eventually } from '../support/eventually.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** WebSockets through two proxies, that speak HTTP/1.1 or HTTP/2 (RFC 8441) with each other. */

const UPGRADES = { upgrade_configs: [{ upgrade_type: 'websocket' }] }
const LARGE_BYTES = 16 * 1024 * 1024

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Chain {
  url: string
  server: WebSocketServer
  http: Server
  proxies: [StaticProxy, StaticProxy]
}

/** client -> HTTP/1.1 -> proxy -> `between` -> proxy -> HTTP/1.1 -> echo server. */
async function chain(between: 'http1' | 'http2', manager: Record<string, unknown> = {}): Promise<Chain> {
  const http = createServer((_request, response) => response.writeHead(400).end('no upgrade here'))
  const server = new WebSocketServer({ noServer: true })
  http.on('upgrade', (request, socket, head) => {
    if (request.url === '/refused') {
      socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno')
      return
    }
    server.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', () => {})
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }))
      if (request.url === '/abrupt') (socket as Socket).resetAndDestroy()
      if (request.url === '/closes') ws.close(4001, 'enough')
    })
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const far = await StaticProxy.start({ upstreams: [port], manager: { ...UPGRADES, ...manager } })
  const near = await StaticProxy.start({ upstreams: [far.port], upstreamProtocol: between, manager: UPGRADES })
  ends.push(async () => {
    for (const ws of server.clients) ws.terminate()
    http.closeAllConnections()
    http.close()
    await near.stop()
    await far.stop()
  })
  return { url: `ws://127.0.0.1:${near.port}`, server, http, proxies: [near, far] }
}

async function open(url: string, options: ClientOptions = {}): Promise<WebSocket> {
  const ws = new WebSocket(url, { perMessageDeflate: false, ...options })
  ends.push(() => ws.terminate())
  await new Promise((resolve, reject) => {
    ws.on('open', resolve)
    ws.on('error', reject)
  })
  return ws
}

const next = (ws: WebSocket) =>
  new Promise<[Buffer, boolean]>((resolve) =>
    ws.once('message', (data, isBinary) => resolve([data as Buffer, isBinary])),
  )
const closed = (ws: WebSocket) =>
  new Promise<[number, string]>((resolve) => ws.once('close', (code, reason) => resolve([code, String(reason)])))

/** Why an opening handshake failed. */
const refusal = (url: string) =>
  open(url).then(
    () => 'open',
    (error: Error) => error.message,
  )

async function nothingIsLeft({ proxies }: Chain): Promise<void> {
  await eventually(() => {
    for (const proxy of proxies) {
      expect(proxy.metric('http.downstream_cx_upgrades_active')).toBe(0)
      expect(proxy.metric('http.downstream_rq_active')).toBe(0)
      expect(proxy.metric('cluster.upstream_rq_active')).toBe(0)
    }
  })
}

for (const between of ['http1', 'http2'] as const) {
  test(`text, binary and pings are echoed over ${between}`, async () => {
    const ws = await open((await chain(between)).url)
    const answers: unknown[] = []
    for (const message of ['hello', '\u00e4\u20ac', '']) {
      const answer = next(ws)
      ws.send(message)
      answers.push(String((await answer)[0]))
    }
    expect(answers).toEqual(['hello', '\u00e4\u20ac', ''])
    const binary = next(ws)
    ws.send(Buffer.from([0, 255, 1]))
    expect(await binary).toEqual([Buffer.from([0, 255, 1]), true])
    const pong = new Promise((resolve) => ws.once('pong', (data) => resolve(String(data))))
    ws.ping('are you there')
    expect(await pong).toBe('are you there')
  })

  test(`a frame of 16 MiB passes over ${between}`, async () => {
    const ws = await open((await chain(between)).url)
    const large = Buffer.alloc(LARGE_BYTES, 'lateen mesh')
    const answer = next(ws)
    ws.send(large)
    expect((await answer)[0].equals(large)).toBe(true)
  }, 20_000)

  test(`the closing handshake passes with its code from either side over ${between}`, async () => {
    const whole = await chain(between)
    const leaves = await open(whole.url)
    const [atServer] = [...whole.server.clients] as [WebSocket]
    const seen = closed(atServer)
    leaves.close(4000, 'bye')
    expect(await seen).toEqual([4000, 'bye'])
    const left = await open(`${whole.url}/closes`)
    expect(await closed(left)).toEqual([4001, 'enough'])
    await nothingIsLeft(whole)
  })

  test(`a side that breaks off is heard by the other over ${between}`, async () => {
    const whole = await chain(between)
    const ws = await open(whole.url)
    const [atServer] = [...whole.server.clients] as [WebSocket]
    const seen = closed(atServer)
    ws.terminate()
    expect((await seen)[0]).toBe(1006)
    const cut = new WebSocket(`${whole.url}/abrupt`)
    ends.push(() => cut.terminate())
    cut.on('error', () => {})
    expect((await closed(cut))[0]).toBe(1006)
    await nothingIsLeft(whole)
  })

  test(`an upgrade that the server refuses passes as it is over ${between}`, async () => {
    const whole = await chain(between)
    expect(await refusal(`${whole.url}/refused`)).toBe('Unexpected server response: 400')
    await nothingIsLeft(whole)
  })

  test(`messages at once in both directions keep their order over ${between}`, async () => {
    const ws = await open((await chain(between)).url)
    const answers: string[] = []
    ws.on('message', (data) => answers.push(String(data)))
    for (let i = 0; i < 2000; i++) ws.send(`${i} ${'x'.repeat(i)}`)
    await eventually(() => expect(answers).toHaveLength(2000))
    expect(answers).toEqual(Array.from({ length: 2000 }, (_, i) => `${i} ${'x'.repeat(i)}`))
  })
}

test('an upgrade that is not enabled is 403', async () => {
  const { url, proxies } = await chain('http1', { upgrade_configs: [] })
  expect(await refusal(url)).toBe('Unexpected server response: 403')
  expect(proxies[1].metric('cluster.upstream_rq_total')).toBe(0)
})

test('an upstream that takes no extended CONNECT is not asked for it', async () => {
  const { url, proxies } = await chain('http2', { upgrade_configs: [] })
  expect(await refusal(url)).toMatch(/Unexpected server response: 50[23]/)
  expect(proxies[1].metric('http.downstream_rq_total')).toBe(0)
})
