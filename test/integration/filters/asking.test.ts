import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, listener, resources, typed } from '../../support/static-resources.ts'

/** What happens to a request while a filter asks about it: a server of verdicts that answers when the test says so. */

class SlowServer {
  readonly waiting: Socket[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((socket) => {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('data', () => this.waiting.push(socket))
  })

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  get connections(): number {
    return this.#sockets.size
  }

  answer(status: string): void {
    this.waiting.shift()?.write(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`)
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}

let verdicts: SlowServer
let upstream: EchoServer
let proxy: BootstrapProxy

beforeEach(async () => {
  verdicts = new SlowServer()
  upstream = new EchoServer('up')
  const upstreamPort = await freePort()
  await upstream.listen(upstreamPort, '127.0.0.1')
  const chain = (filter: object) => {
    const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
      stat_prefix: 'h',
      http_filters: [
        {
          name: 'authz',
          typed_config: typed('filters.http.ext_authz.v3.ExtAuthz', { transport_api_version: 'V3', ...filter }),
        },
        { name: 'router', typed_config: typed('filters.http.router.v3.Router') },
      ],
      route_config: {
        virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] }],
      },
    })
    return { filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] }
  }
  const http_service = { server_uri: { uri: 'http://v', cluster: 'verdicts', timeout: '20s' } }
  proxy = await new BootstrapProxy().serve(
    resources(
      [
        listener('in', chain({ http_service })),
        listener('body', chain({ http_service, with_request_body: { max_request_bytes: 100_000 } })),
      ],
      [cluster('up', [upstreamPort]), cluster('verdicts', [await verdicts.listen()])],
    ),
  )
})

afterEach(() => {
  const bugs = proxy.stat('bug_total')
  proxy.close()
  upstream.close()
  verdicts.close()
  expect(bugs).toBe(0)
})

const request = (body: string) =>
  `POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`

const asked = (count = 1) => eventually(() => expect(verdicts.waiting.length).toBe(count))

test('a body that comes meanwhile goes on whole, however long it is', async () => {
  const body = 'x'.repeat(3_000_000)
  const answer = sendRaw('127.0.0.1', proxy.port('in'), request(body))
  await asked()
  verdicts.answer('200 OK')
  const { status, body: echoed } = await answer
  expect([status, JSON.parse(echoed).body.length]).toEqual([200, body.length])
})

test('no more of it is read than is kept', async () => {
  const socket = connect(proxy.port('in'), '127.0.0.1')
  socket.on('error', () => {})
  const body = Buffer.alloc(64 * 1024 * 1024)
  socket.write(`POST / HTTP/1.1\r\nhost: h\r\ncontent-length: ${body.length}\r\n\r\n`)
  socket.write(body)
  await asked()
  await eventually(() => expect(socket.writableLength).toBeGreaterThan(0))
  expect(socket.bytesWritten - socket.writableLength).toBeLessThan(body.length)
  verdicts.answer('403 Forbidden')
  await eventually(() => expect(proxy.stat('http.downstream_rq_active')).toBe(0))
  socket.destroy()
})

test('a client that leaves takes its question with it, and the connection serves others', async () => {
  const socket = connect(proxy.port('in'), '127.0.0.1')
  socket.on('error', () => {})
  socket.write(request('gone'))
  await asked()
  // A client that only ends its half may still wait for the answer.
  socket.resetAndDestroy()
  await eventually(() => expect(proxy.stat('http.downstream_rq_active')).toBe(0))
  // The call to the server was given up with it.
  await eventually(() => expect(verdicts.connections).toBe(0))
  verdicts.waiting.length = 0
  const answer = sendRaw('127.0.0.1', proxy.port('in'), request('here'))
  await asked()
  verdicts.answer('200 OK')
  expect((await answer).status).toBe(200)
  expect(upstream.seen.length).toBe(1)
})

test('a refusal is given while the body still comes', async () => {
  const socket = connect(proxy.port('in'), '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.write('POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1000\r\n\r\nsome')
  await asked()
  verdicts.answer('403 Forbidden')
  await eventually(() => expect(text).toMatch(/^HTTP\/1.1 403 /))
  socket.destroy()
  expect(upstream.seen).toEqual([])
})

test('who waits for 100-continue is told to send what the server is to be told', async () => {
  const socket = connect(proxy.port('body'), '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write('POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n')
  await eventually(() => expect(text).toBe('HTTP/1.1 100 Continue\r\n\r\n'))
  expect(verdicts.waiting.length).toBe(0)
  socket.write('body')
  await asked()
  verdicts.answer('200 OK')
  await eventually(() => expect(text).toMatch(/Continue\r\n\r\nHTTP\/1.1 200 /))
  expect(text.match(/100 Continue/g)).toHaveLength(1)
  socket.destroy()
})

test('streams of one HTTP/2 connection ask beside each other, and are answered each for itself', async () => {
  const session = connectHttp2(`http://127.0.0.1:${proxy.port('in')}`)
  const ask = (path: string, body: string) => {
    const stream = session.request({ ':method': 'POST', ':path': path })
    stream.end(body)
    const done = new Promise<[number, string]>((resolve) => {
      let status = 0
      let text = ''
      stream.on('response', (headers) => {
        status = Number(headers[':status'])
      })
      stream.on('data', (chunk) => {
        text += chunk
      })
      stream.on('error', () => {})
      stream.on('close', () => resolve([status, text]))
    })
    return { stream, done }
  }
  const first = ask('/first', 'a')
  await asked(1)
  const second = ask('/second', 'b')
  await asked(2)
  const third = ask('/third', 'c')
  await asked(3)
  first.stream.close(8)
  await eventually(() => expect(proxy.stat('http.downstream_rq_active')).toBe(2))
  verdicts.waiting.shift()
  verdicts.answer('403 Forbidden')
  verdicts.answer('200 OK')
  expect((await second.done)[0]).toBe(403)
  const [status, text] = await third.done
  expect([status, JSON.parse(text).path, JSON.parse(text).body]).toEqual([200, '/third', 'c'])
  expect(upstream.seen).toEqual(['/third'])
  session.destroy()
})
