import { expect, test } from '@jest/globals'
import { FIELD, FRACTION } from '../host-table/host-record.ts'
import { OutlierFixture } from './testing.ts'

/** Ejection by the rates of an interval. */

const ALL = { maxEjectionPercent: 100, consecutive_5xx: 0 }
const INTERVAL_MS = 10_000

function answers(run: OutlierFixture, rates: readonly number[], volume = 100): void {
  rates.forEach((rate, i) => {
    run.answer(i, 500, (volume * (100 - rate)) / 100)
    run.answer(i, 200, (volume * rate) / 100)
  })
}

test('of 50, 100, 100, 100 and 100 the threshold is 52, and the first is ejected', () => {
  const run = new OutlierFixture(5, ALL)
  answers(run, [50, 100, 100, 100, 100])
  run.clock.advance(INTERVAL_MS - 1)
  expect(run.ejected).toEqual([])
  run.clock.advance(1)
  expect(run.detector.thresholds.external).toEqual({ average: 90, threshold: 52 })
  expect(run.ejected).toEqual([0])
  expect(run.hosts.map(({ record }) => record!.get(FIELD.successRate) / FRACTION)).toEqual([50, 100, 100, 100, 100])
  expect(run.stats).toEqual({
    ejections_active: 1,
    ejections_success_rate: 1,
    ejections_total: 1,
    ejections_detected_success_rate: 1,
    ejections_enforced_success_rate: 1,
    ejections_enforced_total: 1,
  })
  expect(run.events[0]).toMatchObject({
    type: 'success_rate',
    host_success_rate: 50,
    cluster_average_success_rate: 90,
    cluster_success_rate_ejection_threshold: 52,
  })
})

test('an interval knows nothing of the one before', () => {
  const run = new OutlierFixture(5, ALL)
  answers(run, [50, 100, 100, 100, 100], 60)
  run.clock.advance(INTERVAL_MS)
  answers(run, [50, 100, 100, 100, 100], 60)
  run.clock.advance(INTERVAL_MS)
  expect(run.ejected).toEqual([])
  expect(run.detector.thresholds.external).toBeUndefined()
})

test('too few hosts, or too few answers, say nothing', () => {
  const four = new OutlierFixture(4, ALL)
  answers(four, [0, 100, 100, 100])
  four.clock.advance(INTERVAL_MS)
  expect(four.ejected).toEqual([])
  const idle = new OutlierFixture(5, ALL)
  answers(idle, [0, 100, 100, 100])
  idle.answer(4, 200, 99)
  idle.clock.advance(INTERVAL_MS)
  expect(idle.ejected).toEqual([])
})

test('by default the percentage of failures is only found, and never ejects', () => {
  const run = new OutlierFixture(5, { ...ALL, enforcingSuccessRate: 0 })
  answers(run, [15, 16, 100, 100, 100])
  run.clock.advance(INTERVAL_MS)
  expect(run.ejected).toEqual([])
  expect(run.stats).toMatchObject({ ejections_detected_failure_percentage: 1 })
})

test('a percentage of failures ejects whoever reaches it, whatever the others do', () => {
  const outlier = { ...ALL, enforcingSuccessRate: 0, enforcingFailurePercentage: 100 }
  const run = new OutlierFixture(5, outlier)
  answers(run, [14, 15, 16, 14, 15])
  run.clock.advance(INTERVAL_MS)
  expect(run.ejected).toEqual([0, 1, 3, 4])
  const few = new OutlierFixture(5, { ...outlier, failurePercentageMinimumHosts: 6 })
  answers(few, [14, 15, 16, 14, 15])
  few.clock.advance(INTERVAL_MS)
  expect(few.ejected).toEqual([])
})

test('what connecting tells has rates of its own', () => {
  const outlier = { ...ALL, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailure: 0 }
  const connects = (run: OutlierFixture, failures: readonly number[]) =>
    failures.forEach((failed, i) => {
      for (let n = 0; n < 100; n++) {
        if (n < failed) run.detector.onLocalFailure(run.host(i), 'connect_failure')
        else run.detector.onConnected(run.host(i))
      }
    })
  const bySuccess = new OutlierFixture(5, outlier)
  connects(bySuccess, [50, 0, 0, 0, 0])
  bySuccess.clock.advance(INTERVAL_MS)
  expect(bySuccess.ejected).toEqual([0])
  expect(bySuccess.detector.thresholds).toEqual({ external: undefined, localOrigin: { average: 90, threshold: 52 } })
  expect(bySuccess.stats).toMatchObject({ ejections_enforced_local_origin_success_rate: 1 })

  const byPercentage = new OutlierFixture(5, {
    ...outlier,
    enforcingLocalOriginSuccessRate: 0,
    enforcingFailurePercentageLocalOrigin: 100,
  })
  connects(byPercentage, [85, 84, 0, 0, 0])
  byPercentage.clock.advance(INTERVAL_MS)
  expect(byPercentage.ejected).toEqual([0])
  expect(byPercentage.stats).toMatchObject({ ejections_enforced_local_origin_failure_percentage: 1 })
})

test('a host that is ejected is not compared, and what came in meanwhile is forgotten', () => {
  const run = new OutlierFixture(6, { ...ALL, baseEjectionTime: '15s' })
  answers(run, [0, 100, 100, 100, 100, 100])
  run.clock.advance(INTERVAL_MS)
  expect(run.ejected).toEqual([0])
  answers(run, [0, 100, 100, 100, 100, 100])
  run.clock.advance(INTERVAL_MS)
  expect(run.detector.thresholds.external).toEqual({ average: 100, threshold: 100 })
  run.clock.advance(INTERVAL_MS)
  expect(run.ejected).toEqual([])
})
