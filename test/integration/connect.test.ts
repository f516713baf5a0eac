import { connect as connectHttp2 } from 'node:http2'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import { TestCa } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { liveBytes } from '../support/live-bytes.ts'
import { converse, statuses } from '../support/raw-client.ts'
import { StaticProxy, type StaticProxyOptions } from '../support/static-proxy.ts'
import { upstreamTls } from '../support/static-resources.ts'

/** CONNECT that ends at the proxy (`connect_config`): what comes in it is bytes of a TCP connection to the cluster's host. */

const MIB = 1024 * 1024
const CONNECT = 'CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n'
const ca = new TestCa('connect')
const leaf = ca.issue('db.example')

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(() => ca.remove())

/** A server of bytes: it keeps what came, and each connection's socket. */
class RawServer {
  readonly sockets: Socket[] = []
  readonly received: Buffer[] = []
  endedHalves = 0
  readonly #server: Server

  /** `echo` sends all back, and its end after the client's. */
  constructor(
    echo = true,
    make: (serve: (socket: Socket) => void) => Server = (serve) => createServer({ allowHalfOpen: true }, serve),
  ) {
    this.#server = make((socket) => {
      this.sockets.push(socket)
      socket.on('error', () => {})
      socket.on('data', (chunk: Buffer) => {
        this.received.push(chunk)
        if (echo) socket.write(chunk)
      })
      socket.on('end', () => {
        this.endedHalves++
        if (echo) socket.end()
      })
    })
    ends.push(() => {
      for (const socket of this.sockets) socket.destroy()
      this.#server.close()
    })
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1')
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return (this.#server.address() as AddressInfo).port
  }
}

const routeOf = (connect_config: object) => ({ upgrade_configs: [{ upgrade_type: 'CONNECT', connect_config }] })

async function start(upstreams: number[], options: Partial<StaticProxyOptions> = {}): Promise<StaticProxy> {
  const proxy = await StaticProxy.start({ route: routeOf({}), ...options, upstreams })
  ends.push(() => proxy.stop())
  return proxy
}

/** Nobody listens there, and nobody is given it. */
const CLOSED_PORT = 1

/** What a client holds in its hands, whatever it speaks. */
interface Client {
  status(): number
  text(): string
  readonly isEnded: boolean
  readonly isClosed: boolean
  write(text: string): void
  end(): void
  destroy(): void
}

function http1Client(port: number, early = ''): Client {
  const state = { text: '', isEnded: false, isClosed: false }
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write(`${CONNECT}${early}`, 'latin1')
  ends.push(() => socket.destroy())
  socket.on('data', (chunk) => {
    state.text += chunk.toString('latin1')
  })
  socket.on('end', () => {
    state.isEnded = true
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    state.isClosed = true
  })
  return {
    status: () => statuses(state.text)[0] ?? 0,
    text: () => state.text.slice(state.text.indexOf('\r\n\r\n') + 4),
    get isEnded() {
      return state.isEnded
    },
    get isClosed() {
      return state.isClosed
    },
    write: (text) => socket.write(text, 'latin1'),
    end: () => socket.end(),
    destroy: () => socket.resetAndDestroy(),
  }
}

function http2Client(port: number, early = ''): Client {
  const state = { status: 0, text: '', isEnded: false, isClosed: false }
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => {})
  ends.push(() => session.destroy())
  const stream = session.request({ ':method': 'CONNECT', ':authority': 'db:5432' })
  if (early !== '') stream.write(early, 'latin1')
  stream.on('response', (headers) => {
    state.status = Number(headers[':status'])
  })
  stream.on('data', (chunk: Buffer) => {
    state.text += chunk.toString('latin1')
  })
  stream.on('end', () => {
    state.isEnded = true
  })
  stream.on('error', () => {})
  stream.on('close', () => {
    state.isClosed = true
  })
  return {
    status: () => state.status,
    text: () => state.text,
    get isEnded() {
      return state.isEnded
    },
    get isClosed() {
      return state.isClosed
    },
    write: (text) => stream.write(text, 'latin1'),
    end: () => stream.end(),
    destroy: () => session.destroy(),
  }
}

async function isQuiet(proxy: StaticProxy): Promise<void> {
  await eventually(() => {
    const names = ['upstream_cx_active', 'upstream_rq_active', 'upstream_rq_pending_active']
    expect(names.map((name) => [name, proxy.metric(`cluster.${name}`)])).toEqual(names.map((name) => [name, 0]))
    expect(proxy.metric('http.downstream_rq_active')).toBe(0)
    expect(proxy.metric('http.downstream_cx_upgrades_active')).toBe(0)
  })
}

describe.each([
  ['HTTP/1.1', http1Client],
  ['HTTP/2', http2Client],
] as const)('over %s', (_protocol, dial) => {
  test('bytes pass both ways as they are, those first that came with the request', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()])
    const client = dial(proxy.port, 'early ')
    await eventually(() => expect([client.status(), client.text()]).toEqual([200, 'early ']))
    client.write('\0\r\n\r\nlate\xff')
    await eventually(() => expect(client.text()).toBe('early \0\r\n\r\nlate\xff'))
    // Nothing of the request, and one connection.
    expect(server.text).toBe('early \0\r\n\r\nlate\xff')
    expect(proxy.metric('cluster.upstream_cx_total')).toBe(1)
    expect(proxy.metric('cluster.upstream_cx_active')).toBe(1)
    expect(proxy.metric('cluster.upstream_rq_2xx')).toBe(1)
    client.end()
    await eventually(() => expect([client.isEnded, server.endedHalves]).toEqual([true, 1]))
    await isQuiet(proxy)
    await eventually(() => expect(server.sockets[0]?.destroyed).toBe(true))
  })

  test('a client that says nothing more at once is heard, and answered', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()])
    const client = dial(proxy.port, 'all')
    client.end()
    await eventually(() => expect([client.status(), client.text(), client.isEnded]).toEqual([200, 'all', true]))
    await isQuiet(proxy)
  })

  test('the host ends its half first', async () => {
    const server = new RawServer(false)
    const proxy = await start([await server.listen()])
    const client = dial(proxy.port)
    await eventually(() => expect(server.sockets).toHaveLength(1))
    server.sockets[0]?.end('last words')
    await eventually(() => expect([client.text(), client.isEnded]).toEqual(['last words', true]))
    client.write('still here')
    await eventually(() => expect(server.text).toBe('still here'))
    client.end()
    await eventually(() => expect(server.endedHalves).toBe(1))
    await isQuiet(proxy)
  })

  test('a host that breaks off ends the tunnel', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()])
    const client = dial(proxy.port, 'x')
    await eventually(() => expect(client.text()).toBe('x'))
    server.sockets[0]?.resetAndDestroy()
    await eventually(() => expect(client.isEnded || client.isClosed).toBe(true))
    expect(proxy.metric('cluster.upstream_rq_rx_reset')).toBe(1)
    await isQuiet(proxy)
  })

  test('a client that goes away takes the connection with it', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()])
    const client = dial(proxy.port, 'x')
    await eventually(() => expect(client.text()).toBe('x'))
    client.destroy()
    await eventually(() => expect(server.sockets[0]?.destroyed || server.endedHalves === 1).toBe(true))
    await isQuiet(proxy)
  })

  test('no connection is 503, and no byte is lost upstream', async () => {
    const proxy = await start([CLOSED_PORT])
    const client = dial(proxy.port, 'early')
    await eventually(() => expect(client.status()).toBe(503))
    await eventually(() => expect(client.text()).toMatch(/^upstream connect error .*connection failure/))
    expect(proxy.metric('cluster.upstream_cx_connect_fail')).toBe(1)
    await isQuiet(proxy)
  })

  test('no host is 503', async () => {
    const client = dial((await start([])).port)
    await eventually(() => expect([client.status(), client.text()]).toEqual([503, 'no healthy upstream']))
  })

  test('another host is tried when the policy says so', async () => {
    const server = new RawServer()
    const retry_policy = {
      retry_on: 'connect-failure',
      num_retries: 5,
      retry_host_predicate: [
        {
          name: 'envoy.retry_host_predicates.previous_hosts',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
          },
        },
      ],
      host_selection_retry_max_attempts: 5,
    }
    const upstreams = [CLOSED_PORT, await server.listen()]
    const proxy = await start(upstreams, { route: { ...routeOf({}), retry_policy } })
    // More than may be retried at a time: a tunnel that is there is no retry any more.
    for (let i = 0; i < 8; i++) {
      const client = dial(proxy.port, 'early')
      await eventually(() => expect([client.status(), client.text()]).toEqual([200, 'early']))
    }
    expect(proxy.metric('cluster.upstream_rq_retry_success')).toBeGreaterThan(3)
  })

  test('the limit of connections bounds tunnels', async () => {
    const server = new RawServer()
    const limits = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } }
    const proxy = await start([await server.listen()], { cluster: limits })
    const first = dial(proxy.port, '1')
    await eventually(() => expect(first.text()).toBe('1'))
    const second = dial(proxy.port, '2')
    await eventually(() => expect(second.status()).toBe(503))
    await eventually(() => expect(second.text()).toMatch(/overflow$/))
    expect(proxy.metric('cluster.upstream_cx_overflow')).toBe(1)
    first.end()
    await eventually(() => expect(proxy.metric('cluster.upstream_cx_active')).toBe(0))
    const third = dial(proxy.port, '3')
    await eventually(() => expect(third.text()).toBe('3'))
    expect(server.text).toBe('13')
  })

  test('the limit of requests that wait bounds those being opened, which the time to connect ends', async () => {
    // It takes connections, and never says a word of TLS.
    const server = new RawServer(false)
    const proxy = await start([await server.listen()], {
      cluster: {
        connect_timeout: '2s',
        circuit_breakers: { thresholds: [{ max_pending_requests: 1 }] },
        transport_socket: upstreamTls({}),
      },
    })
    const first = dial(proxy.port, 'early')
    await eventually(() => expect(proxy.metric('cluster.upstream_rq_pending_active')).toBe(1))
    const second = dial(proxy.port)
    await eventually(() => expect(second.status()).toBe(503))
    expect(proxy.metric('cluster.upstream_rq_pending_overflow')).toBe(1)
    await eventually(() => expect(first.status()).toBe(503))
    await eventually(() => expect(first.text()).toMatch(/connection timeout$/))
    expect(proxy.metric('cluster.upstream_cx_connect_timeout')).toBe(1)
    expect(server.text).not.toContain('early')
    await isQuiet(proxy)
  })

  test('a client that goes away before there is a connection', async () => {
    const server = new RawServer(false)
    const proxy = await start([await server.listen()], { cluster: { transport_socket: upstreamTls({}) } })
    const client = dial(proxy.port)
    await eventually(() => expect(server.sockets).toHaveLength(1))
    client.destroy()
    await isQuiet(proxy)
    expect(proxy.metric('cluster.upstream_rq_cancelled')).toBe(1)
  })

  test('a tunnel in which nothing passes is ended by the idle time-out', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()], { route: { ...routeOf({}), idle_timeout: '0.2s' } })
    const client = dial(proxy.port)
    await eventually(() => expect(client.isEnded || client.isClosed).toBe(true))
    expect(client.status()).toBe(200)
    expect(proxy.metric('http.downstream_rq_idle_timeout')).toBe(1)
    await isQuiet(proxy)
  })

  test('over TLS to the host, when the cluster has it', async () => {
    const server = new RawServer(true, (serve) =>
      createTlsServer({ cert: leaf.cert, key: leaf.key, allowHalfOpen: true }, serve),
    )
    const trust = { validation_context: { trusted_ca: { filename: ca.certFile } } }
    const proxy = await start([await server.listen()], {
      cluster: { transport_socket: upstreamTls(trust, { sni: 'db.example' }) },
    })
    const client = dial(proxy.port, 'early ')
    await eventually(() => expect(client.text()).toBe('early '))
    client.write('late')
    await eventually(() => expect(client.text()).toBe('early late'))
    client.end()
    await eventually(() => expect(client.isEnded).toBe(true))
    await isQuiet(proxy)
  })

  test('what the cluster speaks does not matter', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()], { upstreamProtocol: 'http2' })
    const client = dial(proxy.port, 'bytes')
    await eventually(() => expect(client.text()).toBe('bytes'))
    expect(server.text).toBe('bytes')
  })

  test('a side that stalls holds the other one back, and every byte arrives', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()])
    const client = dial(proxy.port)
    await eventually(() => expect(client.status()).toBe(200))
    const [socket] = server.sockets as [Socket]
    socket.removeAllListeners('data').pause()
    const before = liveBytes()
    const text = 'tunnel!\n'.repeat(MIB)
    client.write(text)
    // What the sockets of both sides take is taken: the rest waits at the client, which holds the text as it is.
    let sent = -1
    await eventually(() => {
      const { bytesRead } = socket
      const isStill = bytesRead === sent
      sent = bytesRead
      expect(isStill).toBe(true)
    })
    expect(liveBytes() - before).toBeLessThan(text.length + 8 * MIB)
    let got = 0
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length
      socket.write(chunk)
    })
    socket.resume()
    await eventually(() => expect([got, client.text().length]).toEqual([text.length, text.length]), 60_000)
    expect(client.text() === text).toBe(true)
  }, 90_000)
})

test('the answer has no content, and says nothing of any', async () => {
  const server = new RawServer()
  const { text } = await converse((await start([await server.listen()])).port, [CONNECT, 'x'], (heard) =>
    heard.endsWith('x'),
  )
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  expect(text).not.toMatch(/content-length|transfer-encoding|connection:/i)
})

test.each([
  ['V1', /^PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+\r\nearly$/],
  ['V2', /^\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01.{4}early$/s],
])('a PROXY header of version %s stands before the first byte', async (version, wanted) => {
  const server = new RawServer()
  const proxy = await start([await server.listen()], { route: routeOf({ proxy_protocol_config: { version } }) })
  http1Client(proxy.port, 'early')
  await eventually(() => expect(server.text).toMatch(wanted))
})

test.each([
  ['content', 'CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\nContent-Length: 5\r\n\r\nhello'],
  ['chunks', 'CONNECT db:1 HTTP/1.1\r\nHost: db:1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a path', 'CONNECT /x HTTP/1.1\r\nHost: db:1\r\n\r\n'],
  ['two hosts', 'CONNECT a,b:1 HTTP/1.1\r\nHost: db:1\r\n\r\n'],
])('a CONNECT with %s opens nothing', async (_what, request) => {
  const server = new RawServer()
  const { text, isClosed } = await converse((await start([await server.listen()])).port, [request])
  expect([statuses(text), isClosed, server.sockets.length]).toEqual([[400], true, 0])
})

test('a route lets CONNECT pass that the connection manager does not name, and the other way round', async () => {
  const server = new RawServer()
  const port = await server.listen()
  const heard = async (upgrade_configs: object[], enabled: boolean | undefined) => {
    const route = { upgrade_configs: [{ upgrade_type: 'connect', enabled, connect_config: {} }] }
    const proxy = await start([port], { manager: { upgrade_configs }, route })
    return statuses((await converse(proxy.port, [CONNECT], (text) => text.includes('\r\n\r\n'))).text)
  }
  expect(await heard([], undefined)).toEqual([200])
  expect(await heard([{ upgrade_type: 'CONNECT' }], false)).toEqual([403])
  expect(await heard([{ upgrade_type: 'CONNECT', enabled: false }], true)).toEqual([200])
})

describe('a POST that may stand for a CONNECT', () => {
  const post = (...lines: string[]) => `POST / HTTP/1.1\r\n${['Host: h', ...lines].join('\r\n')}\r\n\r\n`

  async function ask(request: string, connectConfig: object = { allow_post: true }) {
    const server = new RawServer()
    const proxy = await start([await server.listen()], { route: routeOf(connectConfig) })
    const { text } = await converse(proxy.port, [request])
    await isQuiet(proxy)
    return { server, text }
  }

  test('its content goes to the host as it is, and what the host says is the answer', async () => {
    const { server, text } = await ask(`${post('Content-Length: 5', 'Connection: close')}hello`)
    expect(server.text).toBe('hello')
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(text).toMatch(/\r\ntransfer-encoding: chunked\r\n/)
    expect(text).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/)
  })

  test('the framing of its content stays here, and so do its trailers', async () => {
    const chunks = '3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nx-trailer: 1\r\n\r\n'
    const { server, text } = await ask(`${post('Transfer-Encoding: chunked', 'Connection: close')}${chunks}`)
    expect(server.text).toBe('hello')
    expect(text.replaceAll(/\r\n\d\r\n/g, '')).toContain('hello')
    expect(text).toMatch(/\r\n0\r\n\r\n$/)
  })

  test('without content there is nothing to say', async () => {
    const { server, text } = await ask(post('Connection: close'))
    expect([server.text, server.endedHalves]).toEqual(['', 1])
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n.*\r\n\r\n0\r\n\r\n$/s)
  })

  test('by HTTP/2', async () => {
    const server = new RawServer()
    const proxy = await start([await server.listen()], { route: routeOf({ allow_post: true }) })
    const session = connectHttp2(`http://127.0.0.1:${proxy.port}`)
    ends.push(() => session.destroy())
    const stream = session.request({ ':method': 'POST', ':path': '/' })
    let text = ''
    stream.on('data', (chunk) => {
      text += chunk
    })
    const headers = await new Promise<Record<string, unknown>>((resolve) => {
      stream.on('response', resolve)
      stream.write('one ')
    })
    expect(headers[':status']).toBe(200)
    // Both halves are open at once.
    await eventually(() => expect(text).toBe('one '))
    stream.end('two')
    await new Promise((resolve) => stream.on('end', resolve))
    expect(text).toBe('one two')
    await isQuiet(proxy)
  })

  test('a host that has enough ends the exchange', async () => {
    const server = new RawServer(false)
    const proxy = await start([await server.listen()], { route: routeOf({ allow_post: true }) })
    const done = converse(proxy.port, [`${post('Transfer-Encoding: chunked')}3\r\nabc\r\n`])
    await eventually(() => expect(server.text).toBe('abc'))
    server.sockets[0]?.end('enough')
    const { text, isClosed } = await done
    expect(isClosed).toBe(true)
    expect(text).toMatch(/\r\n\r\n6\r\nenough\r\n0\r\n\r\n$/)
    await isQuiet(proxy)
  })

  test('other methods are requests, and so is a POST where it may not', async () => {
    const isForwarded = async (request: string, config?: object) => {
      const server = new RawServer(false)
      const proxy = await start([await server.listen()], { route: routeOf(config ?? { allow_post: true }) })
      const socket = connect(proxy.port, '127.0.0.1', () => socket.write(request))
      socket.on('error', () => {})
      ends.push(() => socket.destroy())
      await eventually(() => expect(server.text).not.toBe(''))
      return / HTTP\/1\.1\r\n/.test(server.text)
    }
    expect(await isForwarded(`${post('Content-Length: 2').replace('POST', 'PUT')}ab`)).toBe(true)
    expect(await isForwarded(`${post('Content-Length: 2')}ab`, {})).toBe(true)
    expect(await isForwarded(`${post('Content-Length: 2')}ab`)).toBe(false)
  })
})
