import { expect, test } from '@jest/globals'
import type { LocalFailure } from '../outcomes.ts'
import { OutlierFixture } from './testing.ts'

/** Ejection by failures one after another, its times and its way back, on a clock that stands still. */

const ALL = { maxEjectionPercent: 100 }

test('so many 5xx one after another eject at once, one good answer begins anew', () => {
  const run = new OutlierFixture(3, ALL)
  run.answer(0, 500, 4)
  run.answer(0, 404)
  run.answer(0, 500, 4)
  expect(run.ejected).toEqual([])
  run.answer(0, 501)
  expect(run.ejected).toEqual([0])
  expect(run.stats).toEqual({
    ejections_active: 1,
    ejections_total: 1,
    ejections_consecutive_5xx: 1,
    ejections_detected_consecutive_5xx: 1,
    ejections_enforced_consecutive_5xx: 1,
    ejections_enforced_total: 1,
  })
  const about = { cluster: 'c', host: '127.0.0.1:1000', num_ejections: 1 }
  expect(run.events).toEqual([
    { ...about, action: 'eject', type: 'consecutive_5xx', enforced: true, secs_since_last_action: -1 },
  ])
})

test('it returns at the first sweep after its time, and each ejection takes one base time more, up to the longest', () => {
  const run = new OutlierFixture(1, { ...ALL, interval: '10s', baseEjectionTime: '30s', maxEjectionTime: '70s' })
  const longMs: number[] = []
  for (let ejection = 0; ejection < 4; ejection++) {
    run.answer(0, 500, 5)
    const fromMs = run.clock.nowMs()
    while (run.ejected.length > 0) run.clock.advance(1)
    longMs.push(run.clock.nowMs() - fromMs)
  }
  expect(longMs).toEqual([30_000, 60_000, 70_000, 70_000])
  expect(run.events.map(({ action, secs_since_last_action: secs }) => [action, secs])).toEqual([
    ['eject', -1],
    ['uneject', 30],
    ['eject', 0],
    ['uneject', 60],
    ['eject', 0],
    ['uneject', 70],
    ['eject', 0],
    ['uneject', 70],
  ])
})

test('each interval without an ejection takes one base time off the next', () => {
  const run = new OutlierFixture(1, { ...ALL, interval: '10s', baseEjectionTime: '10s' })
  const ejectFor = () => {
    run.answer(0, 500, 5)
    const fromMs = run.clock.nowMs()
    while (run.ejected.length > 0) run.clock.advance(1)
    return run.clock.nowMs() - fromMs
  }
  expect([ejectFor(), ejectFor(), ejectFor()]).toEqual([10_000, 20_000, 30_000])
  run.clock.advance(20_000)
  expect(ejectFor()).toBe(20_000)
  run.clock.advance(60_000)
  expect(ejectFor()).toBe(10_000)
})

test('a return resets the counters of all detectors', () => {
  const run = new OutlierFixture(1, {
    ...ALL,
    interval: '1s',
    baseEjectionTime: '1s',
    consecutiveGatewayFailure: 7,
    enforcingConsecutiveGatewayFailure: 100,
  })
  run.answer(0, 503, 5)
  expect(run.ejected).toEqual([0])
  // What was under way still comes in while it is ejected.
  run.answer(0, 503, 1)
  run.clock.advance(1000)
  expect(run.ejected).toEqual([])
  run.answer(0, 503, 4)
  expect(run.ejected).toEqual([])
  run.answer(0, 503, 1)
  expect(run.ejected).toEqual([0])
})

test('gateway failures are 502, 503 and 504, and eject nobody by default', () => {
  const byDefault = new OutlierFixture(1, { ...ALL, consecutive_5xx: 100 })
  for (const status of [502, 503, 504, 502, 503]) byDefault.answer(0, status)
  expect(byDefault.ejected).toEqual([])
  expect(byDefault.stats).toEqual({ ejections_detected_consecutive_gateway_failure: 1 })
  expect(byDefault.events[0]).toMatchObject({ type: 'consecutive_gateway_failure', enforced: false })
  const enforced = new OutlierFixture(1, { ...ALL, consecutive_5xx: 100, enforcingConsecutiveGatewayFailure: 100 })
  for (const status of [502, 503, 504, 502, 500, 503, 503, 503, 503]) enforced.answer(0, status)
  expect(enforced.ejected).toEqual([])
  enforced.answer(0, 504)
  expect(enforced.ejected).toEqual([0])
})

test('failures of our own count as 503 and 504, unless they are told apart', () => {
  const fail = (run: OutlierFixture, ...failures: LocalFailure[]) => {
    for (const failure of failures) run.detector.onLocalFailure(run.host(0), failure)
  }
  const together = new OutlierFixture(1, { ...ALL, enforcingConsecutiveGatewayFailure: 100, consecutive_5xx: 100 })
  fail(
    together,
    'overflow',
    'no_healthy_upstream',
    'internal_error',
    'connect_failure',
    'timeout',
    'reset',
    'connect_timeout',
  )
  expect(together.ejected).toEqual([])
  fail(together, 'refused')
  expect(together.ejected).toEqual([0])

  const apart = new OutlierFixture(1, { ...ALL, splitExternalLocalOriginErrors: true })
  fail(apart, 'connect_failure', 'timeout', 'reset', 'connect_timeout')
  apart.answer(0, 500, 4)
  expect(apart.ejected).toEqual([])
  apart.detector.onConnected(apart.host(0))
  fail(apart, 'reset', 'reset', 'reset', 'reset')
  expect(apart.ejected).toEqual([])
  fail(apart, 'protocol_error')
  expect(apart.ejected).toEqual([0])
  expect(apart.stats).toMatchObject({ ejections_enforced_consecutive_local_origin_failure: 1 })
})

test('a connection of a protocol that is not ours counts as good when it comes about', () => {
  const run = new OutlierFixture(1, ALL)
  for (let i = 0; i < 4; i++) run.detector.onLocalFailure(run.host(0), 'connect_failure')
  run.detector.onOpaqueConnected(run.host(0))
  for (let i = 0; i < 4; i++) run.detector.onLocalFailure(run.host(0), 'connect_failure')
  expect(run.ejected).toEqual([])
  run.detector.onLocalFailure(run.host(0), 'connect_failure')
  expect(run.ejected).toEqual([0])
})

test('at most ten hundredths are ejected by default: of nine hosts none, of ten one', () => {
  const nine = new OutlierFixture(9, {})
  nine.answer(0, 500, 5)
  expect(nine.ejected).toEqual([])
  expect(nine.stats).toEqual({
    ejections_overflow: 1,
    ejections_consecutive_5xx: 1,
    ejections_detected_consecutive_5xx: 1,
  })
  const ten = new OutlierFixture(10, {})
  for (let i = 0; i < 10; i++) ten.answer(i, 500, 5)
  expect(ten.ejected).toEqual([0])
  expect(ten.stats).toMatchObject({ ejections_overflow: 9 })
})

test('one may always be ejected where it is said so', () => {
  const run = new OutlierFixture(3, { alwaysEjectOneHost: true })
  for (let i = 0; i < 3; i++) run.answer(i, 500, 5)
  expect(run.ejected).toEqual([0])
})

test('a share is enforced by chance', () => {
  const draws = [0.59, 0, 0.6]
  const run = new OutlierFixture(
    2,
    { ...ALL, enforcingConsecutive5xx: 60 },
    { random: { next: () => draws.shift() ?? 0 } },
  )
  run.answer(0, 500, 5)
  run.answer(1, 500, 5)
  expect(run.ejected).toEqual([0])
  expect(run.events.map(({ enforced }) => enforced)).toEqual([true, false])
  expect(run.stats).toMatchObject({ ejections_total: 2, ejections_enforced_total: 1 })
})

test('jitter makes an ejection longer', () => {
  const draws = [0, 0.5]
  const outlier = { ...ALL, interval: '1s', baseEjectionTime: '10s', maxEjectionTimeJitter: '4s' }
  const run = new OutlierFixture(1, outlier, { random: { next: () => draws.shift() ?? 0 } })
  run.answer(0, 500, 5)
  run.clock.advance(11_999)
  expect(run.ejected).toEqual([0])
  run.clock.advance(1)
  expect(run.ejected).toEqual([])
})

test('a count of 0 switches a detector off', () => {
  const run = new OutlierFixture(1, { ...ALL, consecutive_5xx: 0 })
  run.answer(0, 500, 1000)
  expect(run.ejected).toEqual([])
})
