import { systemClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { systemRandom } from '../../lib/random.ts'
import { parseResponseHead } from '../../proxy/http1/response-parser.ts'
import type { EndpointPlan } from '../../proxy/plan/plan.ts'
import { ResponseHead } from '../../proxy/stream/message.ts'
import { Host } from '../../proxy/upstream/host.ts'
import { type HostTable, OwnHostTable } from '../../proxy/upstream/host-table/host-table.ts'
import { SharedHostTable, sharedHostMemory } from '../../proxy/upstream/host-table/shared-host-table.ts'
import { type HostOutcomes, NO_OUTCOMES } from '../../proxy/upstream/outcomes.ts'
import { OutlierDetector } from '../../proxy/upstream/outlier/detector.ts'

/*
 * Nanoseconds that outlier detection takes of each answer, and that the count of requests under way takes: without
 * detection, with it in a process with one thread, and in one whose threads share what they know of hosts.
 *
 *   npm run build && node dist/bench/micro/outlier.js
 */

const ROUNDS = 9
const CALLS = 5_000_000
const HOSTS = 16

function headOf(...lines: string[]): ResponseHead {
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const head = new ResponseHead()
  if (parseResponseHead(bytes, 0, bytes.length - 4, head, 'GET') !== undefined) throw new Error('not a head')
  return head
}

const COMMON = [
  'content-type: application/json; charset=utf-8',
  'content-length: 312',
  'date: Tue, 24 Nov 2026 09:32:10 GMT',
  'server: istio-envoy',
  'x-envoy-upstream-service-time: 4',
  'cache-control: no-cache',
  'vary: Accept-Encoding',
  'x-request-id: 0f3a9c1b-1b2c-4d3e-8f40-5a3c5a3c5a3c',
]
const good = headOf('HTTP/1.1 200 OK', ...COMMON)
const bad = headOf('HTTP/1.1 500 Internal Server Error', ...COMMON)

function hostsOf(table: HostTable | undefined): Host[] {
  return Array.from({ length: HOSTS }, (_, i) => {
    const place = { address: '10.0.0.1', port: 1000 + i, unixPath: '', hostname: '', weight: 1, priority: 0 }
    const host = new Host({ ...place, locality: '', healthy: true, socketMetadata: undefined } as EndpointPlan)
    if (table !== undefined) host.record = table.claim('c', host.key, 0)
    return host
  })
}

/** Detection that finds everything and ejects nobody. */
function detector(table: HostTable, hosts: readonly Host[]): HostOutcomes {
  const types = ['consecutive_5xx', 'consecutive_gateway_failure', 'consecutive_local_origin_failure'] as const
  const rates = ['success_rate', 'local_origin_success_rate'] as const
  const percentages = ['failure_percentage', 'local_origin_failure_percentage'] as const
  const enforcing = Object.fromEntries([...types, ...rates, ...percentages].map((type) => [type, 0])) as never
  const plan = {
    consecutive5xx: 2 ** 30,
    consecutiveGatewayFailure: 5,
    consecutiveLocalOriginFailure: 5,
    enforcing,
    splitExternalLocalOriginErrors: false,
    intervalMs: 10_000,
    baseEjectionTimeMs: 30_000,
    maxEjectionTimeMs: 300_000,
    maxEjectionTimeJitterMs: 0,
    maxEjectionPercent: 100,
    alwaysEjectOneHost: false,
    successRateMinimumHosts: 5,
    successRateRequestVolume: 100,
    successRateStdevFactor: 1900,
    failurePercentageThreshold: 85,
    failurePercentageMinimumHosts: 5,
    failurePercentageRequestVolume: 50,
    successfulActiveHealthCheckUnejectHost: true,
  }
  const cluster = { name: 'c', hosts, setFoundFlag: () => {} }
  const around = { clock: systemClock, random: systemRandom, metrics: new MetricStore(), log: silentLogger, table }
  return new OutlierDetector(plan, cluster, around)
}

function medianNs(run: () => void): string {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const fromMs = systemClock.nowMs()
    run()
    times.push(((systemClock.nowMs() - fromMs) * 1e6) / CALLS)
  }
  times.sort((a, b) => a - b)
  return `${(times[ROUNDS >> 1] as number).toFixed(1)} ns (${(times[0] as number).toFixed(1)} to ${(times[ROUNDS - 1] as number).toFixed(1)})`
}

const own = new OwnHostTable(systemClock)
const shared = new SharedHostTable(sharedHostMemory(4), 0, systemClock)
const CASES = [
  ['without detection', undefined],
  ['one thread', own],
  ['shared by four threads', shared],
] as const

for (const [name, table] of CASES) {
  const hosts = hostsOf(table)
  const outcomes = table === undefined ? NO_OUTCOMES : detector(table, hosts)
  const each = (head: ResponseHead) => () => {
    for (let i = 0; i < CALLS; i++) outcomes.onResponse(hosts[i % HOSTS] as Host, head)
  }
  process.stdout.write(`onResponse, ${name}: 200 ${medianNs(each(good))}, 500 ${medianNs(each(bad))}\n`)
}
for (const [name, table] of CASES) {
  const hosts = hostsOf(table)
  let sum = 0
  const run = () => {
    for (let i = 0; i < CALLS; i++) {
      const host = hosts[i % HOSTS] as Host
      host.countActive(1)
      sum += host.activeRequests
      host.countActive(-1)
    }
  }
  process.stdout.write(`count, read, count back, ${name}: ${medianNs(run)}\n`)
  if (sum === 0) throw new Error('nothing was counted')
}
