import { execFile } from 'node:child_process'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, expect, test } from '@jest/globals'
import { FLAG, FRAME, SETTING } from '../../proxy/http2/frame.ts'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { BothClient, BothServer, type Handler, type Protocol } from '../support/http-both.ts'
import { get, RawHttp2, settings, windowUpdate } from '../support/raw-http2.ts'
import { StaticProxy, type StaticProxyOptions } from '../support/static-proxy.ts'

/** Connections of HTTP/2: who speaks what, how many exchanges they take, and how they end. */

const run = promisify(execFile)
const LARGE_FILE = fileURLToPath(new URL('../../package-lock.json', import.meta.url))
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function serve(protocol: Protocol, handler: Handler, options = {}): Promise<BothServer> {
  const server = new BothServer(protocol, handler, options)
  await server.listen()
  ends.push(() => server.close())
  return server
}

async function start(options: StaticProxyOptions): Promise<StaticProxy> {
  const proxy = await StaticProxy.start(options)
  ends.push(() => proxy.stop())
  return proxy
}

function clientOf(protocol: Protocol, proxy: StaticProxy): BothClient {
  const client = new BothClient(protocol, proxy.port)
  ends.push(() => client.close())
  return client
}

const hello: Handler = (request, response) => {
  request.resume()
  request.on('end', () => response.end(`hello by ${request.httpVersion}`))
}

const curl = peerOrSkip('curl')
const withCurl = curl === undefined ? test.skip : test

withCurl('curl speaks HTTP/2 by prior knowledge, and HTTP/1.1 when it only asks for HTTP/2', async () => {
  const { port } = await serve('http1', hello)
  const proxy = await start({ upstreams: [port] })
  const ask = async (...args: string[]) => {
    const { stdout } = await run(curl as string, ['-s', '-i', ...args, `http://127.0.0.1:${proxy.port}/`])
    return stdout
  }
  const known = await ask('--http2-prior-knowledge')
  expect(known).toMatch(/^HTTP\/2 200 \r\n/)
  expect(known).toMatch(/\r\n\r\nhello by 1.1$/)
  const head = await ask('--http2-prior-knowledge', '--head')
  expect(head).toMatch(/^HTTP\/2 200 \r\n/)
  expect(await ask('--http2')).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  const upload = await ask('--http2-prior-knowledge', '--data-binary', `@${LARGE_FILE}`, '-H', 'Expect: 100-continue')
  expect(upload).toMatch(/HTTP\/2 200 \r\n/)
})

const h2load = peerOrSkip('h2load')
const withH2load = h2load === undefined ? test.skip : test

for (const upstream of ['http1', 'http2'] as const) {
  withH2load(
    `h2load gets every one of 20,000 requests answered by ${upstream}`,
    async () => {
      const { port } = await serve(upstream, hello)
      const proxy = await start({ upstreams: [port], upstreamProtocol: upstream })
      const args = ['-n', '20000', '-c', '10', '-m', '50', `http://127.0.0.1:${proxy.port}/`]
      const { stdout } = await run(h2load as string, args)
      expect(stdout).toContain('20000 succeeded, 0 failed, 0 errored, 0 timeout')
      expect(stdout).toContain('status codes: 20000 2xx')
    },
    60_000,
  )
}

test('an upstream is spoken to as its client speaks, when that is asked for', async () => {
  const both = await Promise.all([serve('http1', hello), serve('http2', hello)])
  const answers: string[] = []
  for (const { port } of both) {
    const proxy = await start({ upstreams: [port], upstreamProtocol: 'downstream' })
    for (const protocol of ['http1', 'http2'] as const) {
      const { status, body } = await clientOf(protocol, proxy).ask()
      answers.push(`${protocol}: ${status === 200 ? body : status}`)
    }
  }
  expect(answers).toEqual([
    'http1: hello by 1.1',
    'http2: 503',
    expect.stringMatching(/^http1: 50[23]/),
    'http2: hello by 2.0',
  ])
})

test('a connection serves no more requests than max_requests_per_connection', async () => {
  const server = await serve('http2', hello)
  const counts = new Map<unknown, number>()
  server.on('stream', (stream: ServerHttp2Stream) => counts.set(stream.session, (counts.get(stream.session) ?? 0) + 1))
  const proxy = await start({
    upstreams: [server.port],
    upstreamProtocol: 'http2',
    commonHttp: { max_requests_per_connection: 7 },
  })
  const client = clientOf('http2', proxy)
  const answers = await Promise.all(Array.from({ length: 50 }, () => client.ask()))
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(Math.max(...counts.values())).toBeLessThanOrEqual(7)
  expect(counts.size).toBeLessThanOrEqual(10)
})

test('fifty requests wait for an upstream that takes one at a time, and none is refused', async () => {
  let atOnce = 0
  let most = 0
  const options = { settings: { maxConcurrentStreams: 1 } }
  const server = await serve(
    'http2',
    async (request, response) => {
      most = Math.max(most, ++atOnce)
      request.resume()
      await pause(1)
      atOnce--
      response.end()
    },
    options,
  )
  const limits = { thresholds: [{ max_connections: 1 }] }
  const proxy = await start({
    upstreams: [server.port],
    upstreamProtocol: 'http2',
    cluster: { circuit_breakers: limits },
  })
  const client = clientOf('http2', proxy)
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => client.ask({ method: 'POST', body: [Buffer.from('x')] })),
  )
  expect(answers.filter(({ status }) => status !== 200)).toEqual([])
  expect(most).toBe(1)
  expect(proxy.metric('cluster.upstream_cx_total')).toBe(1)
  expect(proxy.metric('cluster.http2.rx_reset')).toBe(0)
})

test('streams after the last one of a GOAWAY are sent again, those before it are finished', async () => {
  const held: ServerHttp2Stream[] = []
  const seen: string[] = []
  const leaving = await serve('http2', () => {})
  leaving.on('stream', (stream: ServerHttp2Stream, headers: Record<string, string>) => {
    stream.on('error', () => {})
    seen.push(String(headers[':path']))
    held.push(stream)
    if (held.length !== 10) return
    // It says that it has begun five, and only those.
    stream.session?.goaway(constants.NGHTTP2_NO_ERROR, 9)
    for (const one of held.slice(0, 5)) {
      one.respond({ ':status': 200 })
      one.end('first')
    }
  })
  const proxy = await start({ upstreams: [leaving.port], upstreamProtocol: 'http2' })
  const client = clientOf('http2', proxy)
  const asked = Array.from({ length: 10 }, (_, i) =>
    client.ask({ method: 'POST', path: `/${i}`, body: [Buffer.from('body')] }),
  )
  await eventually(() => expect(seen.length).toBeGreaterThanOrEqual(15))
  for (const again of held.slice(10)) {
    again.respond({ ':status': 200 })
    again.end('again')
  }
  const answers = await Promise.all(asked)
  expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual([
    ...Array(5).fill('200 first'),
    ...Array(5).fill('200 again'),
  ])
  expect(seen.slice(10)).toEqual(['/5', '/6', '/7', '/8', '/9'])
})

test('an upstream that does not speak HTTP/2 fails who asked, and is not asked without end', async () => {
  const { port } = await serve('http1', hello)
  const proxy = await start({ upstreams: [port], upstreamProtocol: 'http2' })
  const { status } = await clientOf('http2', proxy).ask()
  expect(status).toBe(503)
  expect(proxy.metric('cluster.upstream_cx_total')).toBe(1)
  expect(proxy.metric('cluster.upstream_rq_pending_active')).toBe(0)
})

test('a listener that drains says so twice, finishes its streams and serves none after the second', async () => {
  let finish = () => {}
  const { port } = await serve('http1', (request, response) => {
    if (request.url === '/slow') finish = () => response.end('slow')
    else response.end('quick')
  })
  const proxy = await start({ upstreams: [port] })
  const client = new RawHttp2(proxy.port)
  ends.push(() => client.close())
  client.send(get(1, '/slow'))
  await eventually(() => expect(proxy.metric('cluster.upstream_rq_active')).toBe(1))
  const draining = proxy.agent.planes.drain(10_000)
  await eventually(() => expect(client.of(FRAME.goaway)).toHaveLength(1))
  expect(client.of(FRAME.goaway)[0]?.payload.readUInt32BE(0)).toBe(2 ** 31 - 1)
  // On its way when the client learnt of it: served.
  client.send(get(3))
  await eventually(() => expect(client.isEnded(3)).toBe(true))
  client.send(pingAck)
  await eventually(() => expect(client.of(FRAME.goaway)).toHaveLength(2))
  expect(client.of(FRAME.goaway)[1]?.payload.readUInt32BE(0)).toBe(3)
  client.send(get(5))
  await eventually(() => expect(client.resetOf(5)).toBe(constants.NGHTTP2_REFUSED_STREAM))
  finish()
  await eventually(() => expect(client.isEnded(1)).toBe(true))
  await eventually(() => expect(client.isClosed).toBe(true))
  await draining
  expect(proxy.metric('http.downstream_rq_total')).toBe(2)
})

const pingAck = Buffer.from([0, 0, 8, FRAME.ping, FLAG.ack, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])

test('who reads late gets every last answer though the listener drains', async () => {
  const STREAMS = 200
  const large = Buffer.alloc(40_000, 'x')
  const { port } = await serve('http1', (_request, response) => response.end(large))
  const proxy = await start({ upstreams: [port] })
  const client = new RawHttp2(proxy.port, settings([[SETTING.initialWindowSize, 100_000]]))
  ends.push(() => client.close())
  client.send(windowUpdate(0, 2 ** 30))
  await eventually(() => expect(client.of(FRAME.settings).length).toBeGreaterThan(0))
  client.socket.pause()
  for (let i = 0; i < STREAMS; i++) client.send(get(1 + 2 * i))
  await eventually(() => expect(proxy.metric('http.downstream_rq_2xx')).toBe(STREAMS))
  await eventually(() => expect(proxy.metric('http.downstream_rq_active')).toBe(0))
  const draining = proxy.agent.planes.drain(20_000)
  // Longer than it waits for a close, twice.
  await pause(3_500)
  client.socket.resume()
  await draining
  await eventually(() => expect(client.isClosed).toBe(true))
  const bytes = client.of(FRAME.data).reduce((sum, { payload }) => sum + payload.length, 0)
  expect(bytes).toBe(STREAMS * large.length)
}, 15_000)
