import { type Client, Metadata, status } from '@grpc/grpc-js'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { eventually } from '../support/eventually.ts'
import { callUnary, GrpcEcho, grpcClient, pathOf, same } from '../support/grpc-echo.ts'
import { StaticProxy, type StaticProxyOptions } from '../support/static-proxy.ts'

/** gRPC's own client and server with the proxy between them, HTTP/2 without TLS on both sides. */

let echo: GrpcEcho
let proxy: StaticProxy
let client: Client
const others: (() => void | Promise<void>)[] = []

const over = (upstreams: number[], rest: Partial<StaticProxyOptions> = {}) =>
  StaticProxy.start({ upstreams, upstreamProtocol: 'http2', ...rest })

beforeAll(async () => {
  echo = new GrpcEcho()
  proxy = await over([await echo.listen()])
  client = grpcClient(proxy.port)
})

afterAll(async () => {
  client.close()
  echo.close()
  await proxy.stop()
})

afterEach(async () => {
  for (const end of others.splice(0).reverse()) await end()
})

/** A client of another proxy, which end with the test. */
async function clientOver(upstreams: number[], rest: Partial<StaticProxyOptions> = {}): Promise<Client> {
  const other = await over(upstreams, rest)
  const its = grpcClient(other.port)
  others.push(
    () => other.stop(),
    () => its.close(),
  )
  return its
}

test('a unary call', async () => {
  const { code, message } = await callUnary(client, Buffer.from('hello'))
  expect([code, message?.toString()]).toEqual([status.OK, 'hello'])
})

test('client streaming', async () => {
  const answer = await new Promise<string>((resolve, reject) => {
    const call = client.makeClientStreamRequest(pathOf('upload'), same, same, (error, value) =>
      error === null ? resolve(String(value)) : reject(error),
    )
    for (let i = 0; i < 100; i++) call.write(Buffer.alloc(10_000))
    call.end()
  })
  expect(answer).toBe('1000000')
})

test('server streaming', async () => {
  const call = client.makeServerStreamRequest(pathOf('download'), same, same, Buffer.from('200x5000'))
  const seen: number[] = []
  for await (const message of call) seen.push((message as Buffer)[4999] as number)
  expect(seen).toEqual(Array.from({ length: 200 }, (_, i) => i))
})

test('both ways at once', async () => {
  const call = client.makeBidiStreamRequest(pathOf('chat'), same, same)
  const answers = call[Symbol.asyncIterator]()
  for (let i = 0; i < 50; i++) {
    call.write(Buffer.from(`message ${i}`))
    expect(String((await answers.next()).value)).toBe(`message ${i}`)
  }
  call.end()
  expect((await answers.next()).done).toBe(true)
})

test("a client's deadline ends the call here and at the server", async () => {
  const before = echo.cancelled
  const { code } = await callUnary(client, Buffer.from('x'), { hold: '1' }, 100)
  expect(code).toBe(status.DEADLINE_EXCEEDED)
  await eventually(() => expect(echo.cancelled).toBe(before + 1))
})

test("the route's time-out is a gRPC status", async () => {
  const hurried = await clientOver([echo.port], { route: { timeout: '0.1s' } })
  const { code, details } = await callUnary(hurried, Buffer.from('x'), { hold: '1' })
  expect([code, details]).toEqual([status.UNAVAILABLE, 'upstream request timeout'])
})

test('a client that cancels is heard at the server', async () => {
  const before = [echo.begun, echo.cancelled] as const
  const call = client.makeBidiStreamRequest(pathOf('chat'), same, same)
  call.on('error', () => {})
  call.write(Buffer.from('x'))
  await eventually(() => expect(echo.begun).toBe(before[0] + 1))
  call.cancel()
  await eventually(() => expect(echo.cancelled).toBe(before[1] + 1))
  await eventually(() => expect(proxy.metric('cluster.upstream_rq_active')).toBe(0))
})

test('metadata of nearly 8 KiB passes both ways', async () => {
  const sent = { 'x-large': 'y'.repeat(7_900), 'reply-bytes': '7900' }
  const { code, metadata } = await callUnary(client, Buffer.from('x'), sent)
  expect(code).toBe(status.OK)
  expect(metadata?.get('large')).toEqual(['x'.repeat(7_900)])
})

test('metadata over the limit fails that call, and the connection lives', async () => {
  const strict = await clientOver([echo.port], { manager: { max_request_headers_kb: 8 } })
  const held = callUnary(strict, Buffer.from('x'), { hold: '1' }, 1_000)
  const { code } = await callUnary(strict, Buffer.from('x'), { 'x-large': 'y'.repeat(9_000) })
  // gRPC takes a 431 for what it does not know.
  expect(code).toBe(status.UNKNOWN)
  expect((await callUnary(strict, Buffer.from('x'))).code).toBe(status.OK)
  expect((await held).code).toBe(status.DEADLINE_EXCEEDED)
})

test('a message of 4 MiB', async () => {
  const large = Buffer.alloc(4 * 1024 * 1024, 'lateen')
  const { code, message } = await callUnary(client, large)
  expect(code).toBe(status.OK)
  expect(message?.equals(large)).toBe(true)
})

test('an error without a message, in the first header fields', async () => {
  const { code, details } = await callUnary(client, Buffer.from('x'), { fail: '5', message: 'not here' })
  expect([code, details]).toEqual([status.NOT_FOUND, 'not here'])
})

test("an error's text is as it was, whatever is in it", async () => {
  const text = '100 % \u00e4\u20ac\ud83d\ude00\nnew line'
  const { code, details } = await callUnary(client, Buffer.from('x'), { fail: '9', message: encodeURIComponent(text) })
  expect([code, details]).toEqual([status.FAILED_PRECONDITION, text])
})

test('an error after messages, in trailers', async () => {
  const metadata = Metadata.fromHttp2Headers({ fail: '15', message: 'lost' })
  const call = client.makeServerStreamRequest(pathOf('download'), same, same, Buffer.from('3x10'), metadata)
  let messages = 0
  const failure = await new Promise<{ code: number; details: string }>((resolve) => {
    call.on('data', () => messages++)
    call.on('error', (error) => resolve(error as never))
  })
  expect([messages, failure.code, failure.details]).toEqual([3, status.DATA_LOSS, 'lost'])
})

test('a thousand calls at a time', async () => {
  const calls = Array.from({ length: 1000 }, (_, i) => callUnary(client, Buffer.from(String(i))))
  const outcomes = await Promise.all(calls)
  expect(outcomes.filter(({ code }, i) => code !== status.OK || String(outcomes[i]?.message) !== String(i))).toEqual([])
}, 30_000)

test('no upstream is UNAVAILABLE', async () => {
  const nowhere = await clientOver([1])
  const { code, details } = await callUnary(nowhere, Buffer.from('x'))
  expect(code).toBe(status.UNAVAILABLE)
  expect(details).toMatch(/^upstream connect error or disconnect\/reset before headers/)
})

test('a server that goes away under load loses no call that it did not begin', async () => {
  const servers = await Promise.all(
    [0, 1].map(async () => {
      const server = new GrpcEcho()
      await server.listen()
      return server
    }),
  )
  others.push(() => {
    for (const server of servers) server.close()
  })
  const [leaving] = servers as [GrpcEcho, GrpcEcho]
  // A host that does not listen any more is not what is looked at here: another is tried.
  const retry = {
    retry_on: 'connect-failure',
    num_retries: 5,
    retry_host_predicate: [{ name: 'envoy.retry_host_predicates.previous_hosts' }],
    host_selection_retry_max_attempts: 5,
  }
  const busy = await clientOver(
    servers.map(({ port }) => port),
    { route: { retry_policy: retry }, cluster: { circuit_breakers: { thresholds: [{ max_retries: 1000 }] } } },
  )
  const failures = new Set<string>()
  let calls = 0
  let isOver = false
  const caller = async () => {
    while (!isOver) {
      const { code, details } = await callUnary(busy, Buffer.from('x'))
      calls++
      if (code !== status.OK) failures.add(`${code} ${details}`)
    }
  }
  const callers = Array.from({ length: 50 }, caller)
  await eventually(() => expect(calls).toBeGreaterThan(500))
  await new Promise<void>((resolve) => leaving.server.tryShutdown(() => resolve()))
  const atShutdown = calls
  await eventually(() => expect(calls).toBeGreaterThan(atShutdown + 500))
  isOver = true
  await Promise.all(callers)
  expect([...failures]).toEqual([])
}, 30_000)
