import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { HeaderEcho, PRELOAD, PropagatingApp, type Upstreams } from '../../support/propagating-app.ts'

const here = dirname(fileURLToPath(import.meta.url))
const EXPECTED = 'x-envoy-expected-rq-timeout-ms'
const TRACE = {
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'a=1',
  baggage: 'user=7',
  b3: '0',
  'x-b3-traceid': 't',
  'x-b3-spanid': 's',
  'x-b3-parentspanid': 'p',
  'x-b3-sampled': '1',
  'x-b3-flags': '0',
  'x-request-id': 'r',
  'grpc-trace-bin': 'AAAA',
  'x-cloud-trace-context': 'c',
  'x-datadog-trace-id': '1',
  'x-datadog-tags': 'd',
  sw8: 'w',
  'x-ot-span-context': 'o',
}
const OTHERS = { cookie: 'c=1', authorization: 'secret', 'end-user': 'jason', 'x-other': 'x' }

let echo: HeaderEcho
let ports: Upstreams

beforeAll(async () => {
  echo = new HeaderEcho()
  ports = await echo.listen()
})

afterAll(() => echo.close())

const nodes: [name: string, node: string | undefined][] = [
  ['this Node', process.execPath],
  ['Node 24', peerOrSkip('node24')],
]
const cases = nodes.flatMap(([name, node]) => ['app.cjs', 'app.mjs'].map((file) => [name, file, node] as const))

describe.each(cases)('on %s, %s', (_name, file, node) => {
  const onNode = node === undefined ? test.skip : test
  let app: PropagatingApp

  beforeAll(async () => {
    // Twice, by two names: the second finds the first.
    if (node !== undefined) app = await PropagatingApp.start(node, file, ports, [PRELOAD, `${PRELOAD}?again`])
  })

  afterAll(() => app?.stop())

  onNode('every way of calling hands on the trace and what is left of the time, and nothing else', async () => {
    for (const way of app.ways) {
      const heard = await app.call(way, 'straight', { ...TRACE, ...OTHERS, [EXPECTED]: '30000' })
      const isOwn = way.includes('its own')
      expect({ way, ...heard }).toMatchObject({ way, ...TRACE, ...(isOwn && { traceparent: 'own' }) })
      for (const name of Object.keys(OTHERS)) expect({ way, value: heard[name] }).toEqual({ way })
      const leftMs = Number(heard[EXPECTED])
      if (isOwn) expect(leftMs).toBe(7)
      else expect(leftMs > 15_000 && leftMs <= 30_000).toBe(true)
    }
  })

  onNode(
    'every path through the application keeps the call, and 200 at a time keep their own',
    async () => {
      for (const way of app.ways.filter((one) => !one.includes('its own'))) {
        const heard = await Promise.all(
          Array.from({ length: 200 }, async (_, i) => {
            // Some have one header, some another, some none: a header too many is as wrong as one too few.
            const sent: Record<string, string> = {}
            if (i % 5 !== 0) sent.traceparent = `t${i}`
            if (i % 3 === 0) sent.baggage = `b=${i}`
            if (i % 7 === 0) sent['x-request-id'] = `r${i}`
            const path = app.paths[i % app.paths.length] as string
            const { traceparent, baggage, 'x-request-id': id } = await app.call(way, path, sent)
            return { way, path, sent, got: JSON.parse(JSON.stringify({ traceparent, baggage, 'x-request-id': id })) }
          }),
        )
        for (const one of heard) expect(one).toEqual({ ...one, got: one.sent })
      }
    },
    60_000,
  )

  onNode('servers of HTTP/2, of TLS and of upgrades have contexts too', async () => {
    expect(await app.callHttp2('requests', TRACE)).toMatchObject(TRACE)
    expect(await app.callHttp2('streams', TRACE)).toMatchObject(TRACE)
    expect(await app.callTls('https', TRACE)).toMatchObject(TRACE)
    expect(await app.callTls('http2', TRACE)).toMatchObject(TRACE)
    expect(await app.upgrade(TRACE)).toMatchObject(TRACE)
  })

  onNode('a call outside any request has nothing', async () => {
    await app.call('fetch', 'straight', { ...TRACE, [EXPECTED]: '30000' })
    const heard = await app.callOutside()
    for (const name of [...Object.keys(TRACE), EXPECTED]) expect(heard[name]).toBeUndefined()
  })

  onNode('lines of a list are joined, and names are known in any case', async () => {
    const heard = await app.call('http.get of a text', 'straight', { Tracestate: ['a=1', 'b=2'], 'X-B3-TraceId': 't' })
    expect(heard).toMatchObject({ tracestate: 'a=1,b=2', 'x-b3-traceid': 't' })
  })

  onNode('what goes on after the answer has the trace and no deadline', async () => {
    echo.heard.length = 0
    await app.call('http.get of a text', 'straight', { traceparent: 'later', [EXPECTED]: '30000', 'go-on': '1' })
    await eventually(() => expect(echo.heard).toHaveLength(2))
    expect(echo.heard.map((one) => [one.traceparent, one[EXPECTED] !== undefined])).toEqual([
      ['later', true],
      ['later', false],
    ])
  })

  onNode(
    'a deadline that is over is a millisecond, and the time of a gRPC call is shortened, never lengthened',
    async () => {
      const late = await app.call('http.get of a text', 'awaits', { [EXPECTED]: '1' })
      expect(late[EXPECTED]).toBe('1')
      const none = await app.call('grpc', 'straight', { [EXPECTED]: '9000' })
      expect(Number(none.timeoutMs)).toBeLessThanOrEqual(9000)
      const long = await app.call('grpc with a deadline of 50 s', 'straight', { 'grpc-timeout': '9S' })
      expect(Number(long.timeoutMs)).toBeLessThanOrEqual(9000)
      const short = await app.call('grpc with a deadline of 2 s', 'straight', { [EXPECTED]: '9000' })
      expect(Number(short.timeoutMs)).toBeLessThanOrEqual(2000)
      const unbounded = await app.call('grpc with a deadline of 50 s', 'straight', {})
      expect(Number(unbounded.timeoutMs)).toBeGreaterThan(20_000)
    },
  )
})

test('further headers are handed on when they are named', async () => {
  const env = { LATEEN_PROPAGATE_HEADERS: 'End-User, content-length,host, x y' }
  const app = await PropagatingApp.start(process.execPath, 'app.mjs', ports, [PRELOAD], env)
  try {
    const heard = await app.call('fetch', 'straight', OTHERS)
    expect(heard).toMatchObject({ 'end-user': 'jason', host: `127.0.0.1:${ports.h1}` })
    expect(heard.cookie ?? heard.authorization ?? heard['content-length']).toBeUndefined()
  } finally {
    await app.stop()
  }
})

test('traces join through the services of Bookinfo, which know nothing of them', async () => {
  const program = join(here, '../../../dist/samples/bookinfo/main.js')
  const reach = async (preload: readonly string[]) => {
    echo.heard.length = 0
    const port = await freePort()
    const spec = `reviews,version=v2,listen=127.0.0.1:${port},via=127.0.0.1:${ports.h1}`
    const child = spawn(process.execPath, [...preload, program, spec], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(child.stdout, 'data')
      await fetch(`http://127.0.0.1:${port}/reviews/0`, { headers: { ...TRACE, 'end-user': 'jason' } })
    } finally {
      child.kill('SIGKILL')
    }
    return echo.heard
  }
  expect(await reach(['--import', PRELOAD])).toEqual([expect.objectContaining({ ...TRACE, 'end-user': 'jason' })])
  const [alone] = await reach([])
  expect(alone?.['end-user']).toBe('jason')
  expect(alone?.traceparent).toBeUndefined()
})

test('the same application alone hands on nothing', async () => {
  const app = await PropagatingApp.start(process.execPath, 'app.mjs', ports, [])
  try {
    for (const way of app.ways) {
      const heard = await app.call(way, 'straight', { ...TRACE, [EXPECTED]: '30000' })
      expect(heard.baggage ?? heard['x-request-id']).toBeUndefined()
    }
  } finally {
    await app.stop()
  }
})

test('what is loaded again, under another name too, changes nothing more', () => {
  const script = `import http from 'node:http'
    import http2 from 'node:http2'
    const all = () => [http.request, http.get, http2.connect, http.Server.prototype.emit]
    const before = all()
    await import(${JSON.stringify(`${PRELOAD}?again`)})
    console.log(all().every((one, i) => one === before[i]))`
  const args = ['--import', 'lateen/propagate', '--input-type=module', '-e', script]
  const run = spawnSync(process.execPath, args, { cwd: join(here, '../../..'), encoding: 'utf8' })
  expect(run.stderr).toBe('')
  expect(run.stdout.trim()).toBe('true')
})

test.each(nodes)(
  'on %s, contexts of 100,000 calls are collected',
  (_name, node) => {
    if (node === undefined) return
    const args = ['--expose-gc', '--import', PRELOAD, join(here, 'apps/memory.mjs'), '100000']
    const run = spawnSync(node, args, { encoding: 'utf8' })
    expect(run.stderr).toBe('')
    const { before, after } = JSON.parse(run.stdout) as { before: number; after: number }
    // One context that stayed behind for each call would be more than 300 bytes of baggage alone.
    expect(after - before).toBeLessThan(3_000_000)
  },
  200_000,
)
