import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { TimerWheel, WheelTimer } from '../../lib/timer-wheel.ts'
import { IdleWatch } from './idle-watch.ts'

function watched() {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock)
  let due = 0
  const timer = new WheelTimer(() => {
    if (watch.isDue(true)) due++
  })
  const watch = new IdleWatch(wheel, timer)
  return { clock, watch, timer, due: () => due }
}

test('it tells once nothing has passed for the time-out', () => {
  const { clock, watch, due } = watched()
  watch.watch(1000)
  for (let i = 0; i < 20; i++) {
    clock.advance(500)
    watch.touch()
  }
  expect(due()).toBe(0)
  clock.advance(1100)
  expect(due()).toBe(1)
})

test('a shorter time-out counts at once, a longer one from when the timer fires', () => {
  const { clock, watch, due } = watched()
  watch.watch(10_000)
  watch.watch(1000)
  clock.advance(1100)
  expect(due()).toBe(1)
  watch.watch(1000)
  watch.watch(5000)
  clock.advance(4900)
  expect(due()).toBe(1)
  clock.advance(200)
  expect(due()).toBe(2)
})

test('0 never tells, and what is stopped waits for nothing', () => {
  const { clock, watch, timer, due } = watched()
  watch.watch(0)
  clock.advance(1e6)
  expect(timer.armed).toBe(false)
  watch.watch(1000)
  watch.stop()
  expect(timer.armed).toBe(false)
  clock.advance(1e6)
  expect(due()).toBe(0)
})
