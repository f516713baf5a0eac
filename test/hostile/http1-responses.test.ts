import net, { type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { ByteUpstream } from '../support/byte-upstream.ts'
import { eventually } from '../support/eventually.ts'
import { converse, statuses } from '../support/raw-client.ts'
import { StaticProxy } from '../support/static-proxy.ts'
import { CLOSES, CUTS, HEADS, type LyingAnswer, MORE } from './cases/answers.ts'

/**
 * An upstream that lies about its answers harms itself: its client gets a failure or a cut connection, the connection
 * to it is not used again, and whoever asks next gets their own answer.
 */

const SECOND = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecond'
const ask = (path: string, method = 'GET') => `${method} ${path} HTTP/1.1\r\nHost: h\r\n\r\n`

const upstream = new ByteUpstream()
let proxy: StaticProxy

beforeAll(async () => {
  proxy = await StaticProxy.start({
    upstreams: [await upstream.listen()],
    manager: { http_protocol_options: { accept_http_10: true } },
  })
})
afterEach(async () => {
  // Each case begins with no connection to the upstream.
  upstream.cutConnections()
  await eventually(() => expect(proxy.metric('cluster.upstream_cx_active')).toBe(0))
})
afterAll(async () => {
  upstream.close()
  await proxy.stop()
})

/** The first request on a connection gets `say`, everything else its right answer. */
function answerFirst(say: (socket: Socket) => void): void {
  let isFirst = true
  upstream.respond = (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return
    if (isFirst) {
      isFirst = false
      say(socket)
    } else socket.write(SECOND)
  }
}

async function servesSecond(): Promise<void> {
  const { text } = await converse(proxy.port, [ask('/second')], (heard) => heard.endsWith('second'))
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\nsecond$/s)
}

const isAnswered = (text: string) => statuses(text).length > 0 && text.includes('\r\n\r\n')

function tell({ answer, closes = false }: LyingAnswer): void {
  answerFirst((socket) => (closes ? socket.end(answer, 'latin1') : socket.write(answer, 'latin1')))
}

test.each([...HEADS, ...CLOSES].map((one) => [one.what, one] as const))('refuses %s', async (_what, one) => {
  tell(one)
  const before = proxy.metric('cluster.upstream_cx_protocol_error')
  const { text } = await converse(proxy.port, [ask('/first')], isAnswered)
  expect(statuses(text)).toEqual([one.becomes])
  expect(text).not.toContain('POISON')
  expect(proxy.metric('http.downstream_rq_active')).toBe(0)
  // The upgrade that nobody asked for is no error of the codec.
  if (one.becomes === 502 && !one.what.startsWith('101 ')) {
    expect(proxy.metric('cluster.upstream_cx_protocol_error')).toBe(before + 1)
  }
  await eventually(() => expect(upstream.openConnections).toBe(0))
  await servesSecond()
})

test.each(CUTS.map((one) => [one.what, one] as const))('cuts %s', async (_what, one) => {
  tell(one)
  // What stands behind on the connection must not be answered as if nothing had happened.
  const { text, isClosed } = await converse(proxy.port, [ask('/first') + ask('/second')])
  expect(isClosed).toBe(true)
  expect(statuses(text).length).toBeLessThanOrEqual(1)
  expect(text).not.toContain('POISON')
  expect(text).not.toContain('\r\n0\r\n')
  expect(text).not.toContain('second')
  await eventually(() => expect(upstream.openConnections).toBe(0))
  await servesSecond()
})

test.each(MORE.map((one) => [one.what, one] as const))('passes an answer but not %s', async (_what, one) => {
  tell(one)
  const requests = ask('/first', one.method) + ask('/second')
  const { text } = await converse(proxy.port, [requests], (heard) => heard.endsWith('second'))
  expect(statuses(text)).toEqual([one.becomes, 200])
  expect(text).not.toContain('POISON')
})

test('cuts what a reset ends, and not as if it had been complete', async () => {
  answerFirst((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\nhalf')
    setTimeout(() => socket.resetAndDestroy(), 20)
  })
  const { text, isClosed } = await converse(proxy.port, [ask('/first')])
  expect(isClosed).toBe(true)
  expect(text).not.toContain('\r\n0\r\n')
})

test('a client of HTTP/1.0 learns of a cut by a reset, since a close would look like the end', async () => {
  answerFirst((socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhalf'))
  const heard = await new Promise<string>((resolve) => {
    const socket = net.connect(proxy.port, '127.0.0.1', () => socket.write('GET /first HTTP/1.0\r\nHost: h\r\n\r\n'))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
    socket.on('end', () => resolve('end'))
    socket.resume()
  })
  expect(heard).toBe('ECONNRESET')
})

test('what comes late on an idle connection ends it, and is nobody’s answer', async () => {
  answerFirst((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  let idle: Socket | undefined
  const { respond } = upstream
  upstream.respond = (socket, received, self) => {
    idle = socket
    respond(socket, received, self)
  }
  const { text } = await converse(proxy.port, [ask('/first')], (heard) => heard.endsWith('ok'))
  expect(statuses(text)).toEqual([200])
  const before = proxy.metric('cluster.upstream_cx_protocol_error')
  idle?.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nPOISON')
  await eventually(() => expect(proxy.metric('cluster.upstream_cx_protocol_error')).toBe(before + 1))
  await servesSecond()
})

test('an answer that comes before the request is complete ends both connections', async () => {
  upstream.respond = (socket, received) => {
    if (received.includes('/second')) socket.write(SECOND)
    else if (received.endsWith('part')) socket.write('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n')
  }
  const request = 'POST /first HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\npart'
  const { text, isClosed } = await converse(proxy.port, [request])
  expect({ statuses: statuses(text), isClosed }).toEqual({ statuses: [413], isClosed: true })
  await eventually(() => expect(upstream.openConnections).toBe(0))
  await servesSecond()
})
