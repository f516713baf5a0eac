import { expect, test } from '@jest/globals'
import { MetricStore } from '../../lib/metrics/store.ts'
import type { EndpointPlan } from '../plan/plan.ts'
import { clusterPlan } from '../plan/testing.ts'
import { COUNT, ownBreakerTable, SharedBreakerTable, sharedBreakerMemory } from './breaker-counts.ts'
import { CircuitBreaker, PRIORITY } from './circuit-breaker.ts'
import { Host } from './host.ts'
import { ClusterStats } from './stats.ts'

function breakersOf(breakers: object, table = ownBreakerTable.countsOf('c')) {
  const metrics = new MetricStore()
  const plan = clusterPlan({ circuitBreakers: breakers })
  const stats = new ClusterStats(metrics, 'c')
  const time = { coarseNowMs: 0 }
  const make = (priority: 0 | 1) =>
    new CircuitBreaker(
      priority === PRIORITY.high ? plan.highLimits : plan.limits,
      priority,
      table,
      stats,
      time,
      1,
      metrics,
      'c',
    )
  const gauge = (name: string) => metrics.all().find((one) => one.name === `cluster.circuit_breakers.${name}`)?.value
  return { normal: make(PRIORITY.default), high: make(PRIORITY.high), stats, gauge }
}

const ADDRESS = { socketAddress: { address: '127.0.0.1', portValue: 1 } }
const { endpoints } = clusterPlan({
  loadAssignment: { clusterName: 'c', endpoints: [{ lbEndpoints: [{ endpoint: { address: ADDRESS } }] }] },
})
const host = new Host(endpoints[0] as EndpointPlan)

/** Reserves retries until there are no more. */
function retriesOf(breaker: CircuitBreaker): number {
  let count = 0
  while (count < 1000 && breaker.reserveRetry(false) !== undefined) count++
  return count
}

test('each priority has limits and counts of its own', () => {
  const { normal, high, gauge } = breakersOf({
    thresholds: [
      { maxRequests: 1, trackRemaining: true },
      { priority: 'HIGH', maxRequests: 2 },
    ],
  })
  expect(normal.reserveRequest(host)).toBe(true)
  expect(gauge('default.rq_open')).toBe(1)
  expect(gauge('default.remaining_rq')).toBe(0)
  expect(normal.reserveRequest(host)).toBe(false)
  expect([high.reserveRequest(host), high.reserveRequest(host), high.reserveRequest(host)]).toEqual([true, true, false])
  expect(gauge('high.rq_open')).toBe(1)
  normal.releaseRequest(host)
  expect(gauge('default.rq_open')).toBe(0)
  expect(gauge('default.remaining_rq')).toBe(1)
  expect([normal.total(COUNT.requests), high.total(COUNT.requests)]).toEqual([0, 2])
})

test('what waits and what is connected is bounded, and shown', () => {
  const { normal, stats, gauge } = breakersOf({ thresholds: [{ maxPendingRequests: 1, maxConnections: 1 }] })
  expect([normal.reservePending(), normal.reservePending()]).toEqual([true, false])
  expect(stats.upstream_rq_pending_overflow.value).toBe(1)
  expect(gauge('default.rq_pending_open')).toBe(1)
  normal.releasePending()
  expect(gauge('default.rq_pending_open')).toBe(0)
  expect(normal.hasRoomForConnection(host)).toBe(true)
  normal.countConnection(1)
  expect(normal.hasRoomForConnection(host)).toBe(false)
  expect(gauge('default.cx_open')).toBe(1)
})

test('a host may have a limit of its own', () => {
  const { normal } = breakersOf({ perHostThresholds: [{ maxConnections: 0 }] })
  expect(normal.hasRoomForConnection(host)).toBe(false)
  expect(normal.hasRoomForConnection()).toBe(true)
})

test('a number of retries is what it says, whatever succeeds', () => {
  const { normal, stats, gauge } = breakersOf({ thresholds: [{ maxRetries: 30 }] })
  expect(retriesOf(normal)).toBe(30)
  expect(stats.upstream_rq_retry_overflow.value).toBe(1)
  expect(gauge('default.rq_retry_open')).toBe(1)
  normal.releaseRetry()
  expect(retriesOf(normal)).toBe(1)
})

test('a budget is a share of what is under way, and three at least', () => {
  const { normal } = breakersOf({ thresholds: [{ retryBudget: {} }] })
  for (let i = 0; i < 1000; i++) normal.window.earn()
  expect(retriesOf(normal)).toBe(3)
  for (let i = 0; i < 45; i++) normal.reserveRequest(host)
  for (let i = 0; i < 5; i++) normal.reservePending()
  expect(retriesOf(normal)).toBe(7)
})

test('a retry in the place of a try that was never sent is bounded over time alone', () => {
  const { normal } = breakersOf({ thresholds: [{ retryBudget: {} }] })
  expect(retriesOf(normal)).toBe(3)
  let count = 0
  while (count < 1000 && normal.reserveRetry(true) !== undefined) count++
  expect(count).toBe(2)
  expect(breakersOf({ thresholds: [{ maxRetries: 0 }] }).normal.reserveRetry(true)).toBeUndefined()
})

test('a budget comes before a number, and is there where nothing is said', () => {
  const budget = { budgetPercent: { value: 50 }, minRetryConcurrency: 1 }
  expect(
    clusterPlan({ circuitBreakers: { thresholds: [{ maxRetries: 9, retryBudget: budget }] } }).limits,
  ).toMatchObject({
    retryBudget: { percent: 50, minConcurrency: 1 },
  })
  const byDefault = { retryBudget: { percent: 20, minConcurrency: 3 } }
  expect(clusterPlan({}).limits).toMatchObject(byDefault)
  expect(clusterPlan({ circuitBreakers: { thresholds: [{ maxRequests: 5 }] } }).limits).toMatchObject(byDefault)
  expect(clusterPlan({ circuitBreakers: { thresholds: [{ maxRetries: 5 }] } }).limits.retryBudget).toBeUndefined()
})

test('retries under way are counted over all threads, and bounded over time in each', () => {
  const memory = sharedBreakerMemory(2)
  const [one, two] = [0, 1].map((thread) =>
    breakersOf({ thresholds: [{ retryBudget: {} }] }, new SharedBreakerTable(memory, thread).countsOf('c')),
  )
  expect(one?.normal.reserveRetry(false)).toBeDefined()
  expect(one?.normal.reserveRetry(false)).toBeDefined()
  expect(retriesOf(two?.normal as CircuitBreaker)).toBe(1)
  // However fast they end, there are a few, and those that successes earn.
  let made = 0
  for (; two !== undefined && made < 100; made++) {
    two.normal.releaseRetry()
    if (two.normal.reserveRetry(false) === undefined) break
  }
  expect(made).toBe(4)
})

test('what is not honoured is refused by name', () => {
  const plan = (thresholds: object) => () => clusterPlan({ circuitBreakers: { thresholds: [thresholds] } })
  expect(plan({ maxConnectionPools: 1 })).toThrow('circuit_breakers.thresholds[0].max_connection_pools')
  expect(plan({ retryBudget: { budgetPercent: { value: 101 } } })).toThrow('retry_budget.budget_percent')
})
