import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { MixerStats } from '../rules/stats.ts'
import { Admission } from './admission.ts'

test('so many calls may be under way, and no more', () => {
  const stats = new MixerStats(new MetricStore())
  const admission = new Admission(new ManualClock(), stats, { maxUnderWay: 2, maxLagMs: 0 })
  expect([admission.enter(), admission.enter(), admission.enter()]).toEqual([true, true, false])
  expect([stats.underWay.value, stats.shed.value]).toEqual([2, 1])
  admission.leave()
  expect([admission.enter(), admission.enter()]).toEqual([true, false])
})

/** Whose timers come late. */
class LateClock extends ManualClock {
  lateMs = 0

  override nowMs(): number {
    return super.nowMs() + this.lateMs
  }
}

test('a process that is late with its timers takes nothing new until it is on time', () => {
  const clock = new LateClock()
  const admission = new Admission(clock, new MixerStats(new MetricStore()), { maxLagMs: 500 })
  clock.advance(100)
  expect(admission.enter()).toBe(true)
  clock.lateMs = 501
  clock.advance(100)
  expect(admission.enter()).toBe(false)
  clock.advance(100)
  expect(admission.enter()).toBe(true)
  admission.close()
  expect(clock.pendingTimers).toBe(0)
})
