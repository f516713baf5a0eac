import { expect, test } from '@jest/globals'
import { type PriorityHealth, priorityLoad } from './priority-load.ts'

/** A priority of 100 hosts of which so many are healthy, and so many degraded. */
function of(healthy: number, degraded = 0, hosts = 100): PriorityHealth {
  return {
    hosts,
    counted: hosts,
    healthy,
    degraded,
    size: hosts,
    healthySize: healthy,
    degradedSize: degraded,
    overprovisioningPercent: 140,
  }
}

const PANIC_THRESHOLD = 50

/** Envoy's tables (intro/arch_overview/upstream/load_balancing/priority, degraded and panic_threshold). */
test.each([
  { healthy: [100, 100], load: [100, 0], panic: [] },
  { healthy: [72, 72], load: [100, 0], panic: [] },
  { healthy: [72, 0], load: [100, 0], panic: [] },
  { healthy: [71, 71], load: [99, 1], panic: [] },
  { healthy: [50, 60], load: [70, 30], panic: [] },
  { healthy: [25, 100], load: [35, 65], panic: [] },
  { healthy: [25, 25], load: [50, 50], panic: [0, 1] },
  // The documentation says 7 and 93; the code rounds both down, and the first gets what is left.
  { healthy: [5, 65], load: [8, 92], panic: [0] },
  { healthy: [0, 0], load: [50, 50], panic: [0, 1] },
  { healthy: [100, 100, 100], load: [100, 0, 0], panic: [] },
  { healthy: [72, 72, 100], load: [100, 0, 0], panic: [] },
  { healthy: [71, 71, 100], load: [99, 1, 0], panic: [] },
  { healthy: [50, 60, 100], load: [70, 30, 0], panic: [] },
  { healthy: [50, 50, 100], load: [70, 30, 0], panic: [] },
  { healthy: [25, 100, 100], load: [35, 65, 0], panic: [] },
  { healthy: [25, 25, 100], load: [35, 35, 30], panic: [] },
])('$healthy% healthy: the load is $load, panic in $panic', ({ healthy, load, panic }) => {
  const actual = priorityLoad(
    healthy.map((count) => of(count)),
    PANIC_THRESHOLD,
  )
  expect(actual.healthy).toEqual(load)
  expect(actual.degraded).toEqual(load.map(() => 0))
  expect(actual.panic.flatMap((isIn, priority) => (isIn ? [priority] : []))).toEqual(panic)
})

test('what rounding leaves goes to the first priority that can serve', () => {
  // 35 + 35 + 28 = 98: each gets its part of 98, and what is lost goes to the first.
  const three = [of(25), of(25), of(20)]
  expect(priorityLoad(three, 0).healthy).toEqual([37, 35, 28])
  expect(priorityLoad([of(0), of(25), of(25)], 0).healthy).toEqual([0, 50, 50])
  expect(priorityLoad([of(0, 0, 0), of(20), of(20), of(10)], 0).healthy).toEqual([0, 40, 40, 20])
})

/** Healthy, degraded and unhealthy of the first priority; all of the second are healthy. */
test.each([
  { first: [100, 0], load: { healthy: [100, 0], degraded: [0, 0] } },
  { first: [71, 0], load: { healthy: [99, 1], degraded: [0, 0] } },
  { first: [71, 29], load: { healthy: [99, 1], degraded: [0, 0] } },
  { first: [25, 65], load: { healthy: [35, 65], degraded: [0, 0] } },
  { first: [5, 0], load: { healthy: [7, 93], degraded: [0, 0] } },
] as const)('degraded hosts help when all healthy ones are busy: $first', ({ first, load }) => {
  expect(priorityLoad([of(first[0], first[1]), of(100)], PANIC_THRESHOLD)).toMatchObject(load)
})

/** One priority: the table of "Degraded endpoints", with what goes to healthy and to degraded hosts. */
test.each([
  { counts: [100, 0], healthy: 100, degraded: 0 },
  { counts: [71, 29], healthy: 99, degraded: 1 },
  { counts: [71, 0], healthy: 100, degraded: 0 },
  { counts: [25, 65], healthy: 35, degraded: 65 },
  { counts: [5, 0], healthy: 100, degraded: 0 },
] as const)('healthy/degraded hosts $counts', ({ counts, healthy, degraded }) => {
  const load = priorityLoad([of(counts[0], counts[1])], 0)
  expect(load).toMatchObject({ healthy: [healthy], degraded: [degraded] })
})

test('degraded hosts are used at their own priority, after healthy ones of all', () => {
  const load = priorityLoad([of(20, 40), of(30)], PANIC_THRESHOLD)
  expect(load).toEqual({ healthy: [28, 42], degraded: [30, 0], panic: [false, false] })
})

test('no priority is in panic while all together can serve everything', () => {
  expect(priorityLoad([of(1), of(100)], PANIC_THRESHOLD).panic).toEqual([false, false])
  expect(priorityLoad([of(1), of(70)], PANIC_THRESHOLD).panic).toEqual([true, false])
})

test('in panic everywhere the load goes by the number of hosts', () => {
  const load = priorityLoad([of(0, 0, 30), of(1, 0, 60), of(0, 0, 0)], PANIC_THRESHOLD)
  expect(load).toEqual({ healthy: [34, 66, 0], degraded: [0, 0, 0], panic: [true, true, true] })
})

test('without panic and without a host that serves, the first priority has no host to offer', () => {
  const load = priorityLoad([of(0), of(0)], 0)
  expect(load).toEqual({ healthy: [100, 0], degraded: [0, 0], panic: [false, false] })
})

test('no hosts at all', () => {
  expect(priorityLoad([of(0, 0, 0)], PANIC_THRESHOLD)).toMatchObject({ healthy: [100], degraded: [0] })
  expect(priorityLoad([], PANIC_THRESHOLD)).toMatchObject({ healthy: [], degraded: [] })
})

test('another overprovisioning factor', () => {
  const strict = (healthy: number) => ({ ...of(healthy), overprovisioningPercent: 100 })
  expect(priorityLoad([strict(90), strict(100)], PANIC_THRESHOLD).healthy).toEqual([90, 10])
})

test('health by weights of hosts, panic by their number', () => {
  const heavy = { ...of(10), size: 1000, healthySize: 900 }
  expect(priorityLoad([heavy, of(0)], PANIC_THRESHOLD)).toMatchObject({ healthy: [100, 0], panic: [false, false] })
  const light = { ...of(90), size: 1000, healthySize: 100 }
  expect(priorityLoad([light, of(0)], PANIC_THRESHOLD)).toMatchObject({ healthy: [100, 0], panic: [false, true] })
})
