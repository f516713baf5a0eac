import { createSocket } from 'node:dgram'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import type { CheckResult, Handler, HandlerEnvironment, Instance, InstanceValues, QuotaResult } from './adapter.ts'
import { findAdapter } from './builtin.ts'
import type { ListProvider } from './list/provider.ts'
import { MAX_CELLS } from './memquota/memquota.ts'
import { MAX_SERIES } from './prometheus/prometheus.ts'

const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'))
const metrics = new MetricStore()
const environment: HandlerEnvironment = { key: 'h.handler.a', clock, log: silentLogger, metrics, objects: () => [] }
const cleanups: (() => void)[] = []

afterEach(() => {
  for (const clean of cleanups.splice(0)) clean()
})

function open(adapter: string, params: object): Handler {
  const handler = findAdapter(adapter)?.open(params, environment)
  if (handler === undefined) throw new Error(adapter)
  return handler
}

const instance = (template: string, values: InstanceValues, key = 'i.instance.a'): Instance => ({
  key,
  name: 'i',
  template,
  values,
})

function codes(handler: Handler, ...values: string[]): number[] {
  return values.map((value) => {
    const result = handler.check?.(instance('listentry', { value })) as CheckResult | undefined
    return result?.code ?? Number.NaN
  })
}

test('list: each sort of entry, white and black', () => {
  expect(codes(open('list', { overrides: ['a', 'B'] }), 'a', 'b')).toEqual([0, 5])
  expect(codes(open('list', { overrides: ['a', 'B'], blacklist: true }), 'a', 'b')).toEqual([7, 0])
  expect(codes(open('list', { overrides: ['aB'], entryType: 'CASE_INSENSITIVE_STRINGS' }), 'Ab', 'a')).toEqual([0, 5])
  const addresses = open('list', { overrides: ['10.0.0.0/8', '2001:db8::/32', '1.2.3.4'], entryType: 'IP_ADDRESSES' })
  expect(codes(addresses, '10.9.9.9', '11.0.0.1', '2001:db8::1', '1.2.3.4', '1.2.3.5', 'x')).toEqual([0, 5, 0, 0, 5, 3])
  expect(codes(open('list', { overrides: ['^v[12]$', 'x'], entryType: 'REGEX' }), 'v1', 'v3', 'axb')).toEqual([0, 5, 0])
  expect(open('list', { overrides: ['a'] }).check?.(instance('listentry', { value: 'b' }))).toEqual({
    code: 5,
    message: 'b is not whitelisted',
    validDurationMs: 300_000,
    validUseCount: 10_000,
    output: { value: '' },
  })
})

async function serve(answer: () => [status: number, body: string]): Promise<{ url: string; server: Server }> {
  const server = createServer((_request, response) => {
    const [status, body] = answer()
    response.writeHead(status).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/list`, server }
}

test('list: fetched, fetched anew, and the last good one kept until it is too old', async () => {
  let answer: [number, string] = [200, '# those\na\n\n b \n']
  const { url } = await serve(() => answer)
  const handler = open('list', { providerUrl: url, overrides: ['c'], refreshInterval: '60s', ttl: '100s' })
  const { provider } = handler as unknown as { provider: ListProvider }
  cleanups.push(() => void handler.close())
  expect(() => codes(handler, 'a')).toThrow('no list: not fetched yet')
  await provider.settled
  expect(codes(handler, 'a', 'b', 'c', 'd')).toEqual([0, 0, 0, 5])
  answer = [200, '["d"]']
  clock.advance(60_000)
  await provider.settled
  expect(codes(handler, 'a', 'c', 'd')).toEqual([5, 0, 0])
  answer = [500, 'a']
  clock.advance(60_000)
  await provider.settled
  expect(codes(handler, 'a', 'd')).toEqual([5, 0])
  clock.advance(60_000)
  await provider.settled
  expect(() => codes(handler, 'd')).toThrow('answers 500')
  answer = [200, 'a']
  clock.advance(60_000)
  await provider.settled
  expect(codes(handler, 'a', 'd')).toEqual([0, 5])
  expect(metrics.counter('list_fetch_errors_total').value).toBe(2)
})

const ask = (amount = 1, deduplicationId = '') => ({ amount, bestEffort: false, deduplicationId })
/** Of one that answers at once. */
function grantedBy(handler: Handler, of: Instance, asked = ask()): number {
  const result = handler.quota?.(of, asked) as QuotaResult | undefined
  return result?.granted ?? Number.NaN
}

const dimensions = (values: Record<string, string>) => instance('quota', { dimensions: values }, 'q.quota.a')

test('memquota: limits by dimensions, windows, and who asks twice', () => {
  const handler = open('memquota', {
    quotas: [
      {
        name: 'q.quota.a',
        maxAmount: 3,
        validDuration: '10s',
        overrides: [
          { dimensions: { to: 'x' }, maxAmount: 1, validDuration: '1s' },
          { dimensions: { to: 'x', from: 'y' }, maxAmount: 9 },
        ],
      },
    ],
  })
  const take = (values: Record<string, string>, amount?: number, id?: string) =>
    grantedBy(handler, dimensions(values), ask(amount, id))
  expect([take({ to: 'a' }, 2), take({ to: 'a' }, 2), take({ to: 'a' }, 1), take({ to: 'b' }, 3)]).toEqual([2, 0, 1, 3])
  // The first override that fits counts, and each combination of dimensions has its own.
  expect([take({ to: 'x' }), take({ to: 'x' }), take({ to: 'x', from: 'y' }), take({ from: 'y', to: 'x' })]).toEqual([
    1, 0, 1, 0,
  ])
  clock.advance(1_100)
  expect(take({ to: 'x' })).toBe(1)
  expect([
    take({ to: 'id' }, 2, 'one'),
    take({ to: 'id' }, 2, 'one'),
    take({ to: 'id' }, 1, 'two'),
    take({ to: 'id' }),
  ]).toEqual([2, 2, 1, 0])
  expect(() => handler.quota?.(instance('quota', {}, 'other.quota.a'), ask())).toThrow(
    'no quota is named other.quota.a',
  )
})

test('memquota: its memory has a bound', () => {
  const handler = open('memquota', { quotas: [{ name: 'q.quota.a', maxAmount: 1, validDuration: '1h' }] })
  const take = (i: number) => grantedBy(handler, dimensions({ i: String(i) }))
  for (let i = 0; i <= MAX_CELLS; i++) take(i)
  expect(metrics.counter('memquota_cells_forgotten_total').value).toBe(1)
  // The one that was asked for longest ago begins anew; the newest does not.
  expect([take(0), take(MAX_CELLS)]).toEqual([1, 0])
})

test('prometheus: counters, gauges and histograms, expiry and the bound', async () => {
  const names = { c: 'COUNTER', g: 'GAUGE', h: 'DISTRIBUTION' }
  const handler = open('prometheus', {
    metrics: Object.entries(names).map(([name, kind]) => ({
      instanceName: `${name}.metric.a`,
      name,
      namespace: '',
      kind,
      labelNames: ['x'],
      buckets: { explicitBuckets: { bounds: [1, 2] } },
    })),
    metricsExpirationPolicy: { metricsExpiryDuration: '10s' },
  })
  cleanups.push(() => void handler.close())
  const tell = (name: string, value: number, x: string) =>
    handler.report?.([instance('metric', { value, dimensions: { x, unused: 'y' } }, `${name}.metric.a`)])
  for (const value of [1, 2, 3]) for (const name of ['c', 'g', 'h']) tell(name, value, 'a"b')
  const text = (await handler.exposition?.()) ?? ''
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  expect(lines).toEqual([
    'c{x="a\\"b"} 6',
    'g{x="a\\"b"} 3',
    'h_bucket{le="1",x="a\\"b"} 1',
    'h_bucket{le="2",x="a\\"b"} 2',
    'h_bucket{le="+Inf",x="a\\"b"} 3',
    'h_sum{x="a\\"b"} 6',
    'h_count{x="a\\"b"} 3',
  ])
  clock.advance(8_000)
  tell('c', 1, 'new')
  clock.advance(8_000)
  expect(await handler.exposition?.()).toContain('c{x="new"} 1\n')
  expect(await handler.exposition?.()).not.toContain('a\\"b')
  for (let i = 0; i < MAX_SERIES + 5; i++) tell('c', 1, String(i))
  const bounded = (await handler.exposition?.()) ?? ''
  expect(bounded.split('\n').filter((line) => line.startsWith('c{'))).toHaveLength(MAX_SERIES + 1)
  expect(bounded).toContain('c{x="overflow"} 6\n')
  expect(metrics.counter('prometheus_series_overflow_total').value).toBe(6)
})

test('stdio: a line each, as text or JSON, by level, into a file or rotated ones', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lateen-stdio-'))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  const entry = (severity: string, timestamp?: number) =>
    instance('logentry', {
      severity,
      variables: { code: 200, name: 'a\nb' },
      ...(timestamp !== undefined && { timestamp }),
    })
  const written = async (params: object, file = 'log') => {
    const handler = open('stdio', { outputPath: join(dir, file), ...params })
    handler.report?.([entry('Default', 1000), entry('warning', 2000), entry('ERROR', 3000)])
    handler.report?.([instance('metric', { value: 5, dimensions: { a: 'b' } })])
    await handler.close()
    return handler
  }
  await written({ logStream: 'FILE', outputAsJson: true })
  expect(
    readFileSync(join(dir, 'log'), 'utf8')
      .trimEnd()
      .split('\n')
      .slice(0, 2)
      .map((line) => JSON.parse(line)),
  ).toEqual([
    { level: 'info', time: '1970-01-01T00:00:01.000Z', instance: 'i.instance.a', code: 200, name: 'a\nb' },
    { level: 'warn', time: '1970-01-01T00:00:02.000Z', instance: 'i.instance.a', code: 200, name: 'a\nb' },
  ])
  await written(
    { logStream: 'FILE', outputLevel: 'ERROR', severityLevels: { Default: 'ERROR' }, metricLevel: 'WARNING' },
    'text',
  )
  expect(readFileSync(join(dir, 'text'), 'utf8')).toBe(
    [1, 3].map((s) => `1970-01-01T00:00:0${s}.000Z\terror\ti.instance.a\t{"code":200,"name":"a\\nb"}\n`).join(''),
  )
  await written({ logStream: 'ROTATED_FILE', maxMegabytesBeforeRotation: 1 }, 'rotated')
  expect(readFileSync(join(dir, 'rotated.1.log'), 'utf8').split('\n')).toHaveLength(5)
})

test('statsd: names of dimensions, and each sort of metric', async () => {
  const socket = createSocket('udp4')
  const received: string[] = []
  socket.on('message', (bytes) => received.push(...bytes.toString().trim().split('\n')))
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
  cleanups.push(() => socket.close())
  const handler = open('statsd', {
    address: `127.0.0.1:${socket.address().port}`,
    prefix: 'mesh.',
    metrics: {
      'c.metric.a': { nameTemplate: 'calls.{{.to}}.{{ .code }}', type: 'COUNTER' },
      'g.metric.a': { type: 'GAUGE' },
      'd.metric.a': { nameTemplate: 'took', type: 'DISTRIBUTION' },
    },
  })
  const tell = (name: string, value: number) =>
    handler.report?.([instance('metric', { value, dimensions: { to: 'a:b|c', code: 200 } }, `${name}.metric.a`)])
  tell('c', 2)
  tell('g', 7)
  tell('d', 1.5)
  tell('unknown', 1)
  await handler.close()
  const seen = new Promise<void>((resolve) => {
    const look = () => (received.length >= 3 ? resolve() : setImmediate(look))
    look()
  })
  await seen
  expect(received.sort()).toEqual(['mesh.calls.a_b_c.200:2|c', 'mesh.i:7|g', 'mesh.took:1.5|ms'])
})

test('denier and noop', () => {
  expect(open('denier', {}).check?.(instance('checknothing', {}))).toEqual({
    code: 9,
    message: '',
    validDurationMs: 5000,
    validUseCount: 1000,
  })
  expect(grantedBy(open('denier', {}), dimensions({}))).toBe(0)
  expect(grantedBy(open('noop', {}), dimensions({}), ask(5))).toBe(5)
})
