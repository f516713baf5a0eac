import { expect, test } from '@jest/globals'
import { istioItem, serviceOf, simulate } from '../../support/simulate.ts'

const latency = 'latency: { distribution: constant, mean: 1ms }'
const retries = { attempts: 3, retryOn: '5xx', perTryTimeout: '1s' }
const NO_BUDGET = { connectionPool: { http: { maxRetries: 1_000_000 } } }

function unbounded(host: string): string {
  return istioItem('DestinationRule', host, { host, trafficPolicy: NO_BUDGET })
}

function routed(host: string, more: object): string {
  return istioItem('VirtualService', host, { hosts: [host], http: [{ route: [{ destination: { host } }], ...more }] })
}

test('retries multiply from tier to tier as the arithmetic says', async () => {
  const report = await simulate(`duration: 60s
services:
  - { name: front, replicas: 2, ${latency}, calls: [{ service: middle }] }
  - { name: middle, replicas: 2, ${latency}, calls: [{ service: back }] }
  - { name: back, replicas: 3, ${latency}, failures: [{ kind: status, value: 503, rate: 0.8 }] }
clients:
  - { name: web, service: front, rate: 200 }
config:
${routed('middle', { retries })}${routed('back', { retries })}${unbounded('middle')}${unbounded('back')}`)
  const failedTry = 0.8
  const triesFor = (failing: number) => 1 + failing + failing ** 2 + failing ** 3
  const perMiddle = triesFor(failedTry ** 4)
  expect(serviceOf(report, 'front').amplification).toBe(1)
  expect((serviceOf(report, 'middle').amplification as number) / perMiddle).toBeCloseTo(1, 1)
  expect((serviceOf(report, 'back').amplification as number) / (perMiddle * triesFor(failedTry))).toBeCloseTo(1, 1)
  const expected = 1 - failedTry ** 16
  expect(report.clients[0]?.successRate).toBeGreaterThan(expected - 0.01)
  expect(report.clients[0]?.successRate).toBeLessThan(expected + 0.01)
  expect(Object.keys(report.clients[0]?.failures ?? {})).toEqual(['503'])
})

test('a queue grows as queueing theory says', async () => {
  // One server, exponential work of 10 ms, 50 arrivals a second: the sojourn is exponential with mean 10 / (1 - 0.5) = 20 ms.
  const report = await simulate(`duration: 1000s
networkLatency: 0ms
services:
  - { name: a, latency: { distribution: exponential, mean: 10ms }, concurrency: 1 }
clients:
  - { name: web, service: a, rate: 50 }
`)
  const { p50, p99 } = (report.clients[0] as (typeof report.clients)[number]).latencyMs
  expect(p50 / (20 * Math.LN2)).toBeGreaterThan(0.9)
  expect(p50 / (20 * Math.LN2)).toBeLessThan(1.1)
  expect(p99 / (20 * Math.log(100))).toBeGreaterThan(0.85)
  expect(p99 / (20 * Math.log(100))).toBeLessThan(1.15)
})

test.each([
  ['status', '', '503'],
  ['reset', '', '503 UC'],
  ['refuse', '', '503 UF'],
  ['blackhole', '', '503 UF'],
  ['blackhole', 'timeout: 300ms', 'given up'],
])('a failure of kind %s %s is answered %s', async (kind, timeout, reason) => {
  const report = await simulate(`duration: 8s
services:
  - { name: a, ${latency}, failures: [{ kind: ${kind} }] }
clients:
  - { name: web, service: a, rate: 20${timeout === '' ? '' : `, ${timeout}`} }
config:
${routed('a', { retries: { attempts: 0 } })}`)
  const [client] = report.clients
  expect(client?.offered).toBeGreaterThan(100)
  expect(client?.failures).toEqual({ [reason]: client?.offered })
})

test('a route time-out ends what takes too long, and breakers refuse what is too much', async () => {
  const report = await simulate(`duration: 10s
services:
  - { name: a, latency: { distribution: constant, mean: 1s } }
  - { name: b, latency: { distribution: constant, mean: 100ms } }
clients:
  - { name: patient, service: a, rate: 20 }
  - { name: many, service: b, rate: 100, arrivals: constant }
config:
${routed('a', { timeout: '200ms', retries: { attempts: 0 } })}${istioItem('DestinationRule', 'b', {
  host: 'b',
  trafficPolicy: { connectionPool: { tcp: { maxConnections: 2 }, http: { http1MaxPendingRequests: 1 } } },
})}`)
  const [patient, many] = report.clients
  expect(patient?.failures).toEqual({ '504 UT': patient?.offered })
  expect(patient?.latencyMs.p50).toBeLessThan(215)
  expect(Object.keys(many?.failures ?? {})).toEqual(['503 UO'])
  expect(serviceOf(report, 'b').overflows).toBe(many?.failed)
  // Two at a time, a tenth of a second each.
  expect(many?.succeeded).toBeGreaterThan(180)
  expect(many?.succeeded).toBeLessThan(205)
})

test('endpoints that come and go are found by the real pilot', async () => {
  const report = await simulate(`duration: 30s
services:
  - { name: a, replicas: 2, ${latency} }
clients:
  - { name: web, service: a, rate: 100 }
changes:
  - { at: 10s, endpoints: [{ service: a, add: 2 }] }
  - { at: 20s, endpoints: [{ service: a, remove: 3 }] }
`)
  expect(report.configuration.map(({ atMs }) => atMs)).toEqual([0, 10_100, 20_100])
  const [version] = serviceOf(report, 'a').versions
  expect(version?.endpoints).toBe(4)
  // The first serves half, a quarter and all; those that were added a quarter of ten seconds.
  expect((version?.mostRequests ?? 0) / (report.clients[0]?.offered ?? 1)).toBeCloseTo((0.5 + 0.25 + 1) / 3, 1)
  expect((version?.leastRequests ?? 0) / (report.clients[0]?.offered ?? 1)).toBeCloseTo(0.25 / 3, 1)
  expect(report.clients[0]?.failed).toBe(0)
})

test('what is added to a scenario does not change the dice of the rest', async () => {
  const base = `duration: 10s
services:
  - { name: a, replicas: 2, latency: { distribution: exponential, mean: 5ms } }
  - { name: b, replicas: 2, latency: { distribution: exponential, mean: 5ms } }
clients:
  - { name: web, service: a, rate: 100 }
`
  const alone = await simulate(base)
  const beside = await simulate(`${base}  - { name: other, service: b, rate: 300 }\n`)
  expect(beside.clients[0]).toEqual(alone.clients[0])
})

test.each([
  ['', '503', 0],
  ['failWith: 429, ', '429', 0],
  ['onFailure: ignore, ', '', 1],
])('a service whose call fails answers as the call says: %s', async (field, reason, successRate) => {
  const report = await simulate(`duration: 5s
services:
  - { name: a, ${latency}, calls: [{ ${field}service: b, count: 2 }] }
  - { name: b, protocol: http2, ${latency}, failures: [{ kind: status }] }
clients:
  - { name: web, service: a, rate: 50 }
`)
  const [client] = report.clients
  expect(client?.successRate).toBe(successRate)
  expect(client?.failures).toEqual(reason === '' ? {} : { [reason]: client?.offered })
  // The first that fails ends it, unless that does no harm.
  expect(serviceOf(report, 'b').offered).toBe((client?.offered ?? 0) * (successRate === 1 ? 2 : 1))
})

test('objects can be deleted on the way, but not those that are not there', async () => {
  const scenario = (name: string) => `duration: 10s
services:
  - { name: a, ${latency}, failures: [{ kind: status, rate: 0.5 }] }
clients:
  - { name: web, service: a, rate: 50 }
config:
${routed('a', { retries })}${unbounded('a')}changes:
  - { at: 5s, delete: [{ kind: VirtualService, name: ${name} }] }
`
  const { slices } = serviceOf(await simulate(scenario('a')), 'a')
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
  expect(sum(slices.retries.slice(0, 20))).toBeGreaterThan(100)
  expect(sum(slices.retries.slice(22))).toBe(0)
  const refused = 'scenario.yaml:10: there is no VirtualService/default/b to delete at 5s'
  await expect(simulate(scenario('b'))).rejects.toThrow(refused)
})

test('proxies of one zone call what the configuration sends them to, each group with a plan of its own', async () => {
  const report = await simulate(`duration: 5s
services:
  - { name: a, replicas: 4, localities: [eu/a, eu/b], ${latency}, calls: [{ service: b }] }
  - { name: b, replicas: 4, localities: [eu/a, eu/b], ${latency} }
clients:
  - { name: web, service: a, rate: 100, locality: eu/a }
`)
  expect(report.clients[0]?.failed).toBe(0)
  expect(serviceOf(report, 'b').tries).toBe(report.clients[0]?.offered)
})
