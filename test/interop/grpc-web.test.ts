import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { GrpcEcho, pathOf } from '../support/grpc-echo.ts'
import { StaticProxy } from '../support/static-proxy.ts'

/** Calls as a browser makes them, by HTTP/1.1, to a gRPC server. */

const echo = new GrpcEcho()
let proxy: StaticProxy

const filter = (name: string, type: string) => ({
  name,
  typed_config: { '@type': `type.googleapis.com/envoy.extensions.filters.http.${type}` },
})

beforeAll(async () => {
  await echo.listen()
  proxy = await StaticProxy.start({
    upstreams: [echo.port],
    upstreamProtocol: 'http2',
    manager: {
      http_filters: [
        filter('envoy.filters.http.grpc_web', 'grpc_web.v3.GrpcWeb'),
        filter('router', 'router.v3.Router'),
      ],
    },
  })
})

afterAll(async () => {
  await proxy.stop()
  echo.close()
})

function message(content: string | Buffer, flags = 0): Buffer {
  const bytes = Buffer.from(content)
  const head = Buffer.alloc(5)
  head[0] = flags
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** The messages of a body: flags and content. */
function messages(body: Buffer): [flags: number, content: string][] {
  const found: [number, string][] = []
  for (let at = 0; at < body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1)
    found.push([body[at] as number, body.toString('latin1', at + 5, end)])
    at = end
  }
  return found
}

function call(method: string, type: string, body: Buffer, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${proxy.port}${pathOf(method)}`, {
    method: 'POST',
    headers: { 'content-type': type, 'x-grpc-web': '1', ...headers },
    body: new Uint8Array(body),
  })
}

test('a unary call in binary form', async () => {
  const response = await call('unary', 'application/grpc-web+proto', message('hello'))
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('application/grpc-web+proto')
  const [data, trailers, ...rest] = messages(Buffer.from(await response.arrayBuffer()))
  expect(data).toEqual([0, 'hello'])
  expect(trailers?.[0]).toBe(0x80)
  expect(trailers?.[1]).toMatch(/^grpc-status:0\r\n/m)
  expect(rest).toEqual([])
})

test('a stream of answers in text form, each piece of which is base64', async () => {
  const body = Buffer.from(message('3x1000').toString('base64'))
  const response = await call('download', 'application/grpc-web-text', body, { accept: 'application/grpc-web-text' })
  expect(response.headers.get('content-type')).toBe('application/grpc-web-text')
  const runs = (await response.text()).match(/[A-Za-z0-9+/]+={0,2}/g) ?? []
  const found = messages(Buffer.concat(runs.map((run) => Buffer.from(run, 'base64'))))
  expect(found.map(([flags, content]) => [flags, content.length > 100 ? content.length : content])).toEqual([
    [0, 1000],
    [0, 1000],
    [0, 1000],
    [0x80, expect.stringMatching(/grpc-status:0/)],
  ])
})

test('an error of the server comes to the browser', async () => {
  const response = await call('unary', 'application/grpc-web', message('x'), { fail: '5', message: 'not here' })
  expect(response.status).toBe(200)
  const body = Buffer.from(await response.arrayBuffer())
  const trailers = body.length > 0 ? (messages(body).at(-1)?.[1] ?? '') : ''
  expect(response.headers.get('grpc-status') ?? /grpc-status:(\d+)/.exec(trailers)?.[1]).toBe('5')
})

test('what is no base64 is refused', async () => {
  const response = await call('unary', 'application/grpc-web-text', Buffer.from('not base64 at all!'))
  expect(response.headers.get('grpc-status')).toBe('13')
  expect(decodeURIComponent(response.headers.get('grpc-message') ?? '')).toMatch(/invalid base64/)
})

test('other calls pass as they are', async () => {
  const response = await call('unary', 'application/json', Buffer.from('{}'))
  expect(response.status).toBe(415)
  expect(response.headers.get('content-type') ?? '').not.toMatch(/grpc/)
})
