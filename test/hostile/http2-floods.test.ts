import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { ERROR_CODE, FLAG, FRAME, SETTING } from '../../proxy/http2/frame.ts'
import { eventually } from '../support/eventually.ts'
import { liveBytes } from '../support/live-bytes.ts'
import {
  block,
  data,
  frame,
  get,
  headers,
  RawHttp2,
  request,
  reset,
  settings,
  windowUpdate,
} from '../support/raw-http2.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/*
 * What a client can send that costs us more than it costs the client (envoy.md 6.3). Each flood ends by
 * ENHANCE_YOUR_CALM before it has cost much, and whoever else is connected is served meanwhile.
 */

const LIMIT_MS = 15_000
/** What this whole process may grow by in a flood, the sender's own buffers included. */
const LIMIT_BYTES = 96 * 1024 * 1024

let upstream: Server
let proxy: StaticProxy
let other: RawHttp2
let otherStream = 1
let received = 0

beforeEach(async () => {
  received = 0
  upstream = createServer((asked, response) => {
    received++
    asked.resume()
    if (asked.url === '/hold') return
    asked.on('end', () => response.end(asked.url === '/large' ? Buffer.alloc(4 * 1024 * 1024) : 'hello'))
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  proxy = await StaticProxy.start({
    upstreams: [port],
    manager: { stream_idle_timeout: '1s', request_headers_timeout: '0.5s' },
  })
  other = new RawHttp2(proxy.port)
  otherStream = 1
})

afterEach(async () => {
  await expectServed()
  other.close()
  upstream.closeAllConnections()
  upstream.close()
  await proxy.stop()
})

/** The client that was connected before is served. */
async function expectServed(): Promise<void> {
  const id = otherStream
  otherStream += 2
  other.send(get(id))
  await eventually(() => expect(other.isEnded(id)).toBe(true))
}

/** Floods, and looks that the connection is cut for it in bounded time and memory while another is served. */
async function expectCut(first: Buffer, piece: Buffer, times: number, code: number = ERROR_CODE.enhanceYourCalm) {
  const startedMs = Date.now()
  const before = process.memoryUsage()
  const client = new RawHttp2(proxy.port)
  client.send(first)
  const flooding = client.flood(piece, times)
  const id = otherStream
  otherStream += 2
  other.send(get(id))
  await flooding
  await eventually(() => expect(client.isClosed).toBe(true))
  await eventually(() => expect(other.isEnded(id)).toBe(true))
  expect(client.goaway).toBe(code)
  expect(Date.now() - startedMs).toBeLessThan(LIMIT_MS)
  const after = process.memoryUsage()
  expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(LIMIT_BYTES)
  expect(proxy.metric('http2.flood')).toBe(code === ERROR_CODE.enhanceYourCalm ? 1 : 0)
}

const NOTHING = Buffer.alloc(0)
const holdOpen = headers(1, 0, request('POST', '/hold'))

test('a hundred thousand requests that are taken back at once', async () => {
  const client = new RawHttp2(proxy.port)
  for (let i = 0; i < 1000 && client.goaway === undefined && !client.isClosed; i++) {
    const pairs: Buffer[] = []
    for (let j = 0; j < 100; j++) pairs.push(get(1 + 2 * (100 * i + j)), reset(1 + 2 * (100 * i + j)))
    await client.flood(Buffer.concat(pairs), 1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => expect(client.isClosed).toBe(true))
  expect(client.goaway).toBe(ERROR_CODE.enhanceYourCalm)
  expect(received).toBeLessThan(2_000)
  await eventually(() => expect(proxy.metric('cluster.upstream_rq_active')).toBe(0))
})

test('CONTINUATION without end', () =>
  expectCut(
    frame(FRAME.headers, FLAG.endStream, 1, block(request())),
    frame(FRAME.continuation, 0, 1, block([['a', 'b'.repeat(1000)]])),
    10_000,
  ))

test('empty CONTINUATION without end', () =>
  expectCut(frame(FRAME.headers, FLAG.endStream, 1, block(request())), frame(FRAME.continuation, 0, 1), 100_000))

test('CONTINUATION that ends after more than anyone needs', async () => {
  const parts = Array.from({ length: 12 }, (_, i) =>
    frame(FRAME.continuation, i === 11 ? FLAG.endHeaders : 0, 1, block([[`a${i}`, 'b'.repeat(16_000)]])),
  )
  await expectCut(frame(FRAME.headers, FLAG.endStream, 1, block(request())), Buffer.concat(parts), 1)
})

test('PING', () => expectCut(NOTHING, frame(FRAME.ping, 0, 0, Buffer.alloc(8)), 100_000))

test('SETTINGS', () => expectCut(NOTHING, settings([[SETTING.initialWindowSize, 1000]]), 100_000))

test('SETTINGS of as many entries as a frame holds', () => {
  const entries = Array.from({ length: 2730 }, (_, i) => [SETTING.initialWindowSize, i] as const)
  return expectCut(holdOpen, settings(entries), 10_000)
})

test('PRIORITY', () => expectCut(NOTHING, frame(FRAME.priority, 0, 3, Buffer.alloc(5)), 100_000))

test('frames that nobody knows', () => expectCut(NOTHING, frame(99, 0, 0, Buffer.alloc(20)), 100_000))

test('empty DATA', () => expectCut(holdOpen, data(1, NOTHING), 100_000))

test('WINDOW_UPDATE', () => expectCut(holdOpen, windowUpdate(1, 1), 100_000))

test('errors of streams', () =>
  expectCut(
    NOTHING,
    Buffer.concat(Array.from({ length: 1000 }, (_, i) => headers(1 + 2 * i, FLAG.endStream, [[':method', 'GET']]))),
    1,
  ))

test('DATA on streams that were reset is passed over', async () => {
  const client = new RawHttp2(proxy.port)
  client.send(headers(1, 0, [[':method', 'POST']]))
  await eventually(() => expect(client.resetOf(1)).toBe(ERROR_CODE.protocolError))
  await client.flood(data(1, Buffer.alloc(100)), 100_000)
  client.send(data(1, Buffer.alloc(100), FLAG.endStream), get(3))
  await eventually(() => expect(client.isEnded(3)).toBe(true))
  // It was worth one answer, and its bytes are credited: others can use the connection's window.
  expect(client.of(FRAME.rstStream)).toHaveLength(1)
  expect(client.of(FRAME.windowUpdate, 0).length).toBeGreaterThan(1)
  client.close()
})

test('ten thousand streams reset in one write take linear time', async () => {
  const cost = async (count: number) => {
    const client = new RawHttp2(proxy.port)
    await eventually(() => expect(client.of(FRAME.settings).length).toBeGreaterThan(0))
    const parts: Buffer[] = []
    for (let i = 0; i < count; i++) parts.push(get(1 + 2 * i, '/hold'))
    for (let i = 0; i < count; i++) parts.push(reset(1 + 2 * i))
    const startedMs = Date.now()
    client.send(...parts)
    await eventually(() => expect(client.isClosed || client.goaway !== undefined).toBe(true))
    client.close()
    return Date.now() - startedMs
  }
  await cost(1_000)
  expect(await cost(10_000)).toBeLessThan(2_000)
})

test('a body in pieces of one byte is held in proportion to its bytes', async () => {
  // The upstream takes no connection, so that the body is kept for later.
  const nowhere = await StaticProxy.start({
    upstreams: [1],
    route: {
      retry_policy: {
        retry_on: 'connect-failure',
        num_retries: 1,
        // Somewhere between none and so long.
        retry_back_off: { base_interval: '100000s', max_interval: '100000s' },
      },
    },
    manager: { stream_idle_timeout: '0s' },
  })
  try {
    const client = new RawHttp2(nowhere.port)
    client.send(headers(1, 0, request('POST')))
    const piece = Buffer.concat(Array.from({ length: 1000 }, (_, i) => data(1, Buffer.from([i]))))
    const before = liveBytes()
    await client.flood(piece, 200)
    // Answered when everything before it was read.
    client.send(frame(FRAME.ping, 0, 0, Buffer.alloc(8)))
    await eventually(() => expect(client.of(FRAME.ping)).toHaveLength(1))
    expect(nowhere.metric('http.downstream_rq_active')).toBe(1)
    const pieces = client.socket.bytesWritten / 10
    expect(pieces).toBeGreaterThan(199_000)
    // A buffer object for each would be 16 MB and more.
    expect(liveBytes() - before).toBeLessThan(8 * 1024 * 1024)
    expect(client.goaway).toBeUndefined()
    client.close()
    await eventually(() => expect(nowhere.metric('http.downstream_rq_active')).toBe(0))
  } finally {
    await nowhere.stop()
  }
})

test('a reader that opens no window is given up after the stream idle time-out', async () => {
  const client = new RawHttp2(proxy.port, settings([[SETTING.initialWindowSize, 0]]))
  client.send(get(1), get(3, '/large'))
  await eventually(() => expect(client.of(FRAME.headers, 3)).toHaveLength(1))
  expect(client.of(FRAME.data).filter(({ payload }) => payload.length > 0)).toEqual([])
  // One answer is whole and waits, of the other we have read no more than we hold.
  await eventually(() => expect([client.resetOf(1), client.resetOf(3)]).not.toContain(undefined))
  expect(proxy.metric('http.downstream_rq_idle_timeout')).toBe(2)
  await eventually(() => expect(proxy.metric('http.downstream_rq_active')).toBe(0))
  await eventually(() => expect(proxy.metric('cluster.upstream_rq_active')).toBe(0))
  client.close()
})

test('an HPACK bomb is refused and the connection lives', async () => {
  const client = new RawHttp2(proxy.port)
  // One large field in the table, then as many references to it as a frame holds: 60 MB of fields.
  const large = Buffer.concat([
    Buffer.from([0x40, 1, 0x61, 127]),
    Buffer.from([0x80 | ((3800 - 127) % 128), (3800 - 127) >> 7]),
  ])
  const bomb = Buffer.concat([block(request()), large, Buffer.alloc(3800, 98), Buffer.alloc(12_000, 0xbe)])
  const startedMs = Date.now()
  for (let id = 1; id < 41; id += 2) client.send(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, id, bomb))
  client.send(get(41))
  await eventually(() => expect(client.isEnded(41)).toBe(true))
  expect(Date.now() - startedMs).toBeLessThan(2_000)
  expect(client.statusOf(1)).toBe('431')
  expect(received).toBe(1)
  client.close()
})

test('a header list that is too large is answered 431, and the connection lives', async () => {
  const client = new RawHttp2(proxy.port)
  const many = Array.from({ length: 200 }, (_, i) => [`a${i}`, 'x'] as const)
  const crumbs = Array.from({ length: 5000 }, () => ['cookie', 'a=b'] as const)
  const hosts = Array.from({ length: 1000 }, () => ['host', 'x'] as const)
  const large = (id: number, fields: readonly (readonly [string, string])[]) => {
    const bytes = block([...request(), ...fields])
    const parts = [frame(FRAME.headers, FLAG.endStream, id, bytes.subarray(0, 16_000))]
    for (let at = 16_000; at < bytes.length; at += 16_000) {
      parts.push(frame(FRAME.continuation, 0, id, bytes.subarray(at, at + 16_000)))
    }
    parts.push(frame(FRAME.continuation, FLAG.endHeaders, id))
    return Buffer.concat(parts)
  }
  client.send(large(1, many), large(3, crumbs), large(5, [['a', 'x'.repeat(64_000)]]), large(7, hosts), get(9))
  await eventually(() => expect(client.isEnded(9)).toBe(true))
  expect([1, 3, 5, 7].map((id) => client.statusOf(id))).toEqual(['431', '431', '431', '431'])
  expect(received).toBe(1)
  client.close()
})

test('two host fields, trailers without END_STREAM and a body beyond its length are stream errors', async () => {
  const client = new RawHttp2(proxy.port)
  client.send(headers(1, FLAG.endStream, [...request(), ['host', 'x'], ['host', 'x']]))
  client.send(headers(3, 0, request('POST', '/hold')), headers(3, 0, [['a', 'b']]))
  client.send(
    headers(5, 0, [...request('POST', '/hold'), ['content-length', '5']]),
    data(5, Buffer.from('hello, GET /x')),
  )
  client.send(get(7))
  await eventually(() => expect(client.isEnded(7)).toBe(true))
  expect([1, 3, 5].map((id) => client.resetOf(id))).toEqual([1, 1, 1])
  client.close()
})

test('half a handshake and half a header block are given up', async () => {
  const client = new RawHttp2(proxy.port)
  client.send(frame(FRAME.headers, FLAG.endStream, 1, block(request())))
  const partial = new RawHttp2(proxy.port)
  partial.send(frame(FRAME.headers, FLAG.endStream | FLAG.endHeaders, 1, block(request())).subarray(0, 15))
  await eventually(() => expect([client.isClosed, partial.isClosed]).toEqual([true, true]))
  expect(proxy.metric('http.downstream_rq_header_timeout')).toBe(2)
})

test('garbage ends its connection only', async () => {
  const strict = await StaticProxy.start({ upstreams: [1], manager: { codec_type: 'HTTP2' } })
  try {
    for (let i = 0; i < 200; i++) {
      const socket = connect(strict.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      const bytes = Buffer.alloc(1 + i * 7)
      for (let j = 0; j < bytes.length; j++) bytes[j] = (i * 31 + j * j * 7) & 255
      socket.end(bytes)
      await new Promise((resolve) => socket.on('close', resolve))
    }
    // What is refused is not read any more, so the client's close is not seen either: ours follows a second later.
    await eventually(() => expect(strict.metric('http.downstream_cx_active')).toBe(0))
  } finally {
    await strict.stop()
  }
})
