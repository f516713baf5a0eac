import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, type IncomingHttpHeaders, request } from 'node:http'
import { connect as connect2, createServer as createServer2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { findPeer } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { builtCli } from '../built.ts'

/** Applications that hand nothing on, under the preload and without it. */

const here = dirname(fileURLToPath(import.meta.url))

/** Says what it was sent; remembers what came without anybody's trace. */
const seen: IncomingHttpHeaders[] = []
const echo = createServer((incoming, response) => {
  seen.push(incoming.headers)
  incoming.resume()
  response.end(JSON.stringify(incoming.headers))
})
const echo2 = createServer2()
echo2.on('stream', (stream, headers) => {
  stream.respond({ ':status': 200 })
  stream.end(JSON.stringify(headers))
})
const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port
const agent = new Agent({ keepAlive: true })

class App {
  readonly #process: ChildProcess
  port = 0
  port2 = 0

  constructor(node: string, flags: readonly string[], env: Record<string, string> = {}) {
    const targets = [`http://127.0.0.1:${portOf(echo)}/`, `http://127.0.0.1:${portOf(echo2)}`]
    this.#process = spawn(node, [...flags, join(here, 'app.mjs'), ...targets], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
  }

  async start(): Promise<this> {
    const [line] = (await once(this.#process.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
    Object.assign(this, JSON.parse(line.toString()))
    return this
  }

  /** What the other side got of the call that this one made the application make. */
  call(path: string, headers: Record<string, string>, body = ''): Promise<IncomingHttpHeaders> {
    return new Promise((resolve, reject) => {
      const outgoing = request({ port: this.port, path, headers, agent, method: body === '' ? 'GET' : 'POST' })
      outgoing.on('error', reject)
      outgoing.on('response', (incoming) => {
        let text = ''
        incoming.on('data', (chunk: Buffer) => {
          text += chunk.toString()
        })
        incoming.on('end', () => (incoming.statusCode === 200 ? resolve(JSON.parse(text)) : reject(new Error(text))))
      })
      outgoing.end(body)
    })
  }

  call2(path: string, headers: Record<string, string>): Promise<IncomingHttpHeaders> {
    const session = connect2(`http://127.0.0.1:${this.port2}`)
    return new Promise<IncomingHttpHeaders>((resolve, reject) => {
      const stream = session.request({ ':path': path, ...headers })
      let text = ''
      stream.on('error', reject)
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      stream.on('end', () => resolve(JSON.parse(text)))
    }).finally(() => session.close())
  }

  stop(): void {
    this.#process.kill('SIGKILL')
  }
}

let preload = ''

beforeAll(async () => {
  preload = join(dirname(builtCli()), '../propagate/main.js')
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  await new Promise<void>((resolve) => echo2.listen(0, '127.0.0.1', resolve))
}, 60_000)

afterAll(() => {
  agent.destroy()
  echo.close()
  echo.closeAllConnections()
  echo2.close()
})

const TRACE = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  baggage: 'a=b',
  'x-b3-flags': '1',
}

test('without the preload nothing is handed on', async () => {
  const app = await new App(process.execPath, []).start()
  try {
    const headers = await app.call('/request', TRACE)
    for (const name of Object.keys(TRACE)) expect(headers[name]).toBeUndefined()
  } finally {
    app.stop()
  }
})

const node24 = findPeer('node24')
const NODES: [string, string][] = [
  [process.versions.node, process.execPath],
  ...(node24 === undefined ? [] : [['24', node24] as [string, string]]),
]

describe.each(NODES)('on Node %s', (_version, node) => {
  let app: App
  beforeAll(async () => {
    // Named twice, it is there once.
    const flags = ['--import', preload, '--import', preload]
    app = await new App(node, flags, { LATEEN_PROPAGATE_HEADERS: 'end-user, not a name' }).start()
  })
  afterAll(() => app.stop())

  test.each(['request', 'required', 'get', 'list', 'fetch', 'http2', 'grpc'])('%s takes it along', async (way) => {
    for (const delay of ['', 'timer', 'immediate', 'body']) {
      const headers = await app.call(`/${way}/${delay}`, { ...TRACE, 'end-user': 'jason', 'x-other': 'o' }, 'a body')
      expect(headers).toMatchObject({ ...TRACE, 'end-user': 'jason' })
      expect(headers['x-other']).toBeUndefined()
      expect(headers['x-envoy-expected-rq-timeout-ms']).toBeUndefined()
      if (way === 'list' || way === 'http2') expect(headers['x-own']).toBe('mine')
    }
  })

  test('a call that came by HTTP/2', async () => {
    for (const way of ['request', 'fetch', 'http2']) {
      for (const delay of ['timer', 'body']) expect(await app.call2(`/${way}/${delay}`, TRACE)).toMatchObject(TRACE)
    }
  })

  test('what the application says itself stands', async () => {
    expect((await app.call('/own', TRACE)).traceparent).toBe('own')
  })

  test('the time that is left goes along, and a gRPC call waits no longer', async () => {
    const headers = await app.call('/request/timer', { 'x-envoy-expected-rq-timeout-ms': '5000' })
    const left = Number(headers['x-envoy-expected-rq-timeout-ms'])
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThanOrEqual(5000)
    expect((await app.call('/grpc', { 'grpc-timeout': '2S' }))['grpc-timeout']).toMatch(/^(1\d{3}|2000)m$/)
    expect((await app.call('/grpc', {}))['grpc-timeout']).toBe('1H')
  })

  test('200 calls at a time get each its own, over connections that others have used', async () => {
    const ways = ['request', 'required', 'get', 'list', 'fetch', 'http2']
    const delays = ['', 'timer', 'immediate', 'body', 'finish']
    const calls = Array.from({ length: 200 }, async (_, i) => {
      const id = `call-${i}`
      const path = `/${ways[i % ways.length]}/${delays[i % delays.length]}`
      return [id, (await app.call(path, { 'x-request-id': id }, 'body'))['x-request-id']]
    })
    for (const [id, got] of await Promise.all(calls)) expect(got).toBe(id)
  })

  test('what happens in nobody’s name takes nothing along', async () => {
    seen.length = 0
    await Promise.all(Array.from({ length: 20 }, () => app.call('/fetch/timer', TRACE)))
    await eventually(() => expect(seen.some(({ traceparent }) => traceparent === undefined)).toBe(true))
  })
})
