import { expect, test } from '@jest/globals'
import { HeldClock, ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { seededRandom } from '../../lib/random.ts'
import { TimerWheel } from '../../lib/timer-wheel.ts'
import { clusterPlan } from '../plan/testing.ts'
import { BugReporter } from '../stream/bugs.ts'
import { ResponseHead } from '../stream/message.ts'
import { OutBuffer } from '../stream/out-buffer.ts'
import { ownBreakerTable } from './breaker-counts.ts'
import { Cluster } from './cluster.ts'
import { HEALTH_FLAG } from './health.ts'
import type { Host } from './host.ts'
import type { HostTable } from './host-table/host-table.ts'
import { SharedHostTable, sharedHostMemory } from './host-table/shared-host-table.ts'
import { HostWatch, POLL_MS } from './host-watch.ts'
import { endpointAt } from './outlier/testing.ts'

/** What a cluster does with what is found out about its hosts, alone and beside other threads. */

const PANIC_OFF = { commonLbConfig: { healthyPanicThreshold: { value: 0 } } }
const OUTLIER = { outlierDetection: { maxEjectionPercent: 100 }, ...PANIC_OFF }
const CHECK = { timeout: '1s', interval: '1s', unhealthyThreshold: 1, healthyThreshold: 1, tcpHealthCheck: {} }
const CHECKED = { healthChecks: [CHECK], ...PANIC_OFF }

function clusterOf(fields: object, ports: readonly number[], clock = new ManualClock(), hosts?: HostTable): Cluster {
  const metrics = new MetricStore()
  const context = {
    clock: new HeldClock(clock),
    metrics,
    wheel: new TimerWheel(clock),
    out: new OutBuffer(),
    bugs: new BugReporter(metrics, silentLogger),
    random: seededRandom(7),
    breakers: ownBreakerTable,
    ...(hosts && { hosts }),
  }
  const cluster = new Cluster(clusterPlan(fields), context)
  cluster.setEndpointsOnce(ports.map(endpointAt))
  return cluster
}

const hostAt = (cluster: Cluster, i: number) => [...cluster.hosts][i] as Host
const ports = (cluster: Cluster) => [...cluster.hosts].map(({ plan }) => plan.port)

function fail(cluster: Cluster, host: Host, times = 5): void {
  const head = new ResponseHead()
  head.status = 500
  for (let i = 0; i < times; i++) cluster.outcomes.onResponse(host, head)
}

/** What is picked of so many. */
function picked(cluster: Cluster, times = 100): Set<number | undefined> {
  return new Set(Array.from({ length: times }, () => cluster.pickHost()?.plan.port))
}

test('a host that is ejected is not picked, and is again when it is back', () => {
  const clock = new ManualClock()
  const cluster = clusterOf(OUTLIER, [1, 2, 3], clock)
  fail(cluster, hostAt(cluster, 1))
  expect(picked(cluster)).toEqual(new Set([1, 3]))
  expect(cluster.stats.membership_healthy.value).toBe(2)
  clock.advance(30_000)
  expect(picked(cluster)).toEqual(new Set([1, 2, 3]))
})

test('without outlier detection nobody is ejected, and who was is taken back when it is switched off', () => {
  const cluster = clusterOf(PANIC_OFF, [1, 2])
  fail(cluster, hostAt(cluster, 0), 100)
  expect(picked(cluster)).toEqual(new Set([1, 2]))
  cluster.replacePlan(clusterPlan(OUTLIER))
  fail(cluster, hostAt(cluster, 0))
  expect(picked(cluster)).toEqual(new Set([2]))
  cluster.replacePlan(clusterPlan(PANIC_OFF))
  expect(picked(cluster)).toEqual(new Set([1, 2]))
})

test('a change of the plan begins no interval anew', () => {
  const clock = new ManualClock()
  const cluster = clusterOf(OUTLIER, [1, 2], clock)
  fail(cluster, hostAt(cluster, 0))
  for (let i = 0; i < 40; i++) {
    clock.advance(1000)
    cluster.replacePlan(clusterPlan(OUTLIER))
  }
  expect(picked(cluster)).toEqual(new Set([1, 2]))
})

test('checked hosts: what is told of and what is found out, two by two', () => {
  const cluster = clusterOf(CHECKED, [1, 2, 3])
  const [one, two, three] = [0, 1, 2].map((i) => hostAt(cluster, i)) as [Host, Host, Host]
  const find = (host: Host, isWell: boolean) =>
    cluster.health.setFoundFlag(host, HEALTH_FLAG.failedActiveCheck, !isWell)
  expect(picked(cluster)).toEqual(new Set([undefined]))
  find(one, true)
  find(two, true)
  // Told of and well: used. Told of and failing: not.
  expect(picked(cluster)).toEqual(new Set([1, 2]))
  cluster.setEndpointsOnce([endpointAt(1)])
  // Not told of and well: still used. Not told of and failing: gone.
  expect(ports(cluster)).toEqual([1, 2])
  expect(picked(cluster)).toEqual(new Set([1, 2]))
  expect([two.isRemoved, three.isRemoved]).toEqual([false, true])
  find(two, false)
  expect(ports(cluster)).toEqual([1])
  expect(two.isRemoved).toBe(true)
  // One that is told of again is as any other.
  cluster.setEndpointsOnce([])
  cluster.setEndpointsOnce([endpointAt(1)])
  find(one, false)
  expect(ports(cluster)).toEqual([1])
  cluster.remove()
})

test('where health is ignored when a host goes, it goes', () => {
  const cluster = clusterOf({ ...CHECKED, ignoreHealthOnHostRemoval: true }, [1, 2])
  for (const host of cluster.hosts) cluster.health.setFoundFlag(host, HEALTH_FLAG.failedActiveCheck, false)
  cluster.setEndpointsOnce([endpointAt(1)])
  expect(ports(cluster)).toEqual([1])
  cluster.remove()
})

test('a good check ends an ejection, unless it is said that it does not', () => {
  for (const ends of [true, false]) {
    const outlierDetection = { maxEjectionPercent: 100, successfulActiveHealthCheckUnejectHost: ends }
    const cluster = clusterOf({ ...CHECKED, outlierDetection }, [1])
    const host = hostAt(cluster, 0)
    cluster.health.setFoundFlag(host, HEALTH_FLAG.failedActiveCheck, false)
    fail(cluster, host)
    expect(host.health).toBe('unhealthy')
    cluster.health.checker?.onChecked(host, true)
    expect(host.health).toBe(ends ? 'healthy' : 'unhealthy')
    cluster.remove()
  }
})

test('a host whose answer says that it fails is no longer used', () => {
  const cluster = clusterOf(CHECKED, [1, 2])
  for (const host of cluster.hosts) cluster.health.setFoundFlag(host, HEALTH_FLAG.failedActiveCheck, false)
  const head = new ResponseHead()
  head.status = 200
  const fields = 'x-envoy-immediate-health-check-fail: true'
  head.bytes = Buffer.from(fields)
  head.count = 1
  head.at.set([0, fields.indexOf(':'), fields.indexOf(':') + 2, fields.length, fields.length])
  cluster.outcomes.onResponse(hostAt(cluster, 0), head)
  expect(picked(cluster)).toEqual(new Set([2]))
  cluster.remove()
})

function twoThreads(fields: object, endpoints: readonly number[]) {
  const memory = sharedHostMemory(2)
  const clock = new ManualClock()
  const tables = [0, 1].map((thread) => new SharedHostTable(memory, thread, clock)) as [
    SharedHostTable,
    SharedHostTable,
  ]
  const clusters = tables.map((table) => clusterOf(fields, endpoints, clock, table)) as [Cluster, Cluster]
  const watches = tables.map((table, i) => new HostWatch(clock, table, () => [clusters[i] as Cluster]))
  return { clock, tables, clusters, watches }
}

test('what one thread finds out is in force in the other a moment later, and so is the end of it', () => {
  const { clock, clusters } = twoThreads(OUTLIER, [1, 2])
  const [one, two] = clusters
  fail(one, hostAt(one, 0), 3)
  fail(two, hostAt(two, 0), 2)
  expect(picked(two)).toEqual(new Set([2]))
  clock.advance(POLL_MS)
  expect(picked(one)).toEqual(new Set([2]))
  clock.advance(30_000 + POLL_MS)
  expect(picked(one)).toEqual(new Set([1, 2]))
  expect(picked(two)).toEqual(new Set([1, 2]))
})

test('another thread sweeps when the one that did is no longer heard of', () => {
  const { clock, clusters, watches, tables } = twoThreads(OUTLIER, [1, 2])
  const [, two] = clusters
  expect(tables.map(({ isLeader }) => isLeader)).toEqual([true, false])
  watches[0]?.close()
  fail(two, hostAt(two, 0))
  clock.advance(40_000)
  expect(tables.map(({ isLeader }) => isLeader)).toEqual([false, true])
  expect(picked(two)).toEqual(new Set([1, 2]))
})

test('the least busy host is the one with fewest requests over all threads', () => {
  const { clusters } = twoThreads({ lbPolicy: 'LEAST_REQUEST' }, [1, 2])
  const [one, two] = clusters
  one.breaker.countRequest(hostAt(one, 0))
  const share = Array.from({ length: 1000 }, () => two.pickHost()?.plan.port).filter((port) => port === 1).length
  // Only when both draws are it.
  expect(share).toBeGreaterThan(180)
  expect(share).toBeLessThan(320)
  one.breaker.releaseRequest(hostAt(one, 0))
  expect([hostAt(one, 0).activeRequests, hostAt(two, 0).activeRequests]).toEqual([0, 0])
})

test('ten thousand changes of endpoints leave no place taken', () => {
  const { clusters, tables } = twoThreads({ lbPolicy: 'LEAST_REQUEST' }, [1])
  for (let change = 0; change < 10_000; change++) {
    for (const cluster of clusters) cluster.setEndpointsOnce([endpointAt(1), endpointAt(2 + (change % 5000))])
  }
  expect(tables[0].size).toBe(2)
  for (const cluster of clusters) cluster.remove()
  expect(tables[1].size).toBe(0)
})
