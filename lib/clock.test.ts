import { expect, test } from '@jest/globals'
import { type Clock, HeldClock, ManualClock, WallTimes } from './clock.ts'

test('times of the wall are those of the monotonic clock, moved', () => {
  const clock = new ManualClock(1_767_000_000_000)
  const times = new WallTimes(clock)
  clock.advance(5)
  expect(times.at(clock.nowMs())).toBe(1_767_000_000_005)
  expect(times.at(clock.nowMs() - 2)).toBe(1_767_000_000_003)
  clock.advance(999.6)
  expect(times.at(clock.nowMs())).toBe(1_767_000_001_005)
})

test('a wall clock that is put right is followed within a second, and asked no more often', () => {
  const clock = new ManualClock()
  let aheadMs = 0
  let asked = 0
  const moved: Clock = {
    nowMs: () => clock.nowMs(),
    wallMs: () => {
      asked++
      return clock.wallMs() + aheadMs
    },
    setTimer: () => ({ cancel() {} }),
  }
  const times = new WallTimes(moved)
  for (let i = 0; i < 10; i++) times.at(clock.nowMs())
  expect(asked).toBe(1)
  aheadMs = 60_000
  clock.advance(999)
  expect(times.at(clock.nowMs())).toBe(999)
  clock.advance(1)
  expect(times.at(clock.nowMs())).toBe(61_000)
})

test('a clock that is held stands still until it is released', () => {
  const manual = new ManualClock(1000)
  const clock = new HeldClock(manual)
  manual.advance(5)
  expect(clock.nowMs()).toBe(5)
  clock.hold()
  manual.advance(10)
  expect(clock.nowMs()).toBe(5)
  clock.release()
  expect(clock.nowMs()).toBe(15)
  expect(clock.wallMs()).toBe(1015)
})

test('a clock that is held twice stands still at the time of the first until both let it go', () => {
  const manual = new ManualClock()
  const clock = new HeldClock(manual)
  clock.hold()
  manual.advance(5)
  clock.hold()
  expect(clock.nowMs()).toBe(0)
  clock.release()
  expect(clock.nowMs()).toBe(0)
  clock.release()
  expect(clock.nowMs()).toBe(5)
})
