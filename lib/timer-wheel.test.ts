import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { type Clock, ManualClock } from './clock.ts'
import { TimerWheel, WheelTimer } from './timer-wheel.ts'

test('fires once, never early, at most a tick late, in any mix of delays', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 40 }), (delays) => {
      const clock = new ManualClock()
      const wheel = new TimerWheel(clock, 10)
      const firedAt: number[][] = delays.map(() => [])
      delays.forEach((delayMs, i) => {
        const timer = new WheelTimer(() => firedAt[i]!.push(clock.nowMs()))
        wheel.arm(timer, delayMs)
      })
      for (let t = 0; t < 20_020; t += 5) clock.advance(5)
      delays.forEach((delayMs, i) => {
        expect(firedAt[i]).toHaveLength(1)
        expect(firedAt[i]![0]!).toBeGreaterThanOrEqual(delayMs)
        expect(firedAt[i]![0]!).toBeLessThanOrEqual(Math.max(delayMs, 10) + 20)
      })
      expect(wheel.armedCount).toBe(0)
    }),
    { numRuns: 20 },
  )
})

test('a disarmed timer does not fire, a re-armed one fires at its new time', () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock, 10)
  const fired: string[] = []
  const a = new WheelTimer(() => fired.push('a'))
  const b = new WheelTimer(() => fired.push('b'))
  wheel.arm(a, 100)
  wheel.arm(b, 100)
  wheel.disarm(a)
  wheel.arm(b, 300)
  clock.advance(250)
  expect(fired).toEqual([])
  clock.advance(100)
  expect(fired).toEqual(['b'])
})

test('a callback may disarm a neighbour of the same slot and arm itself again', () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock, 10)
  const fired: string[] = []
  const second = new WheelTimer(() => fired.push('second'))
  const first = new WheelTimer(() => {
    fired.push('first')
    wheel.disarm(second)
    if (fired.length < 3) wheel.arm(first, 50)
  })
  wheel.arm(first, 50)
  wheel.arm(second, 50)
  clock.advance(500)
  expect(fired).toEqual(['first', 'first', 'first'])
})

test('an idle wheel holds no clock timer', () => {
  const clock = new ManualClock()
  const wheel = new TimerWheel(clock, 10)
  const timer = new WheelTimer(() => {})
  wheel.arm(timer, 20)
  expect(clock.pendingTimers).toBe(1)
  clock.advance(100)
  expect(clock.pendingTimers).toBe(0)
})

test('timers that are armed now and then, between which the wheel sleeps, are as true; so is its time', () => {
  const at = fc.record({ atMs: fc.integer({ min: 0, max: 60_000 }), delayMs: fc.integer({ min: 0, max: 12_000 }) })
  fc.assert(
    fc.property(fc.array(at, { minLength: 1, maxLength: 12 }), (arms) => {
      const clock = new ManualClock()
      const wheel = new TimerWheel(clock, 10)
      const late: number[] = []
      for (const { atMs, delayMs } of arms) {
        clock.setTimer(atMs, () => {
          const armedMs = clock.nowMs()
          const timer = new WheelTimer(() => {
            late.push(clock.nowMs() - armedMs - delayMs)
            expect(clock.nowMs() - wheel.coarseNowMs).toBeLessThanOrEqual(10)
          })
          wheel.arm(timer, delayMs)
          expect(armedMs - wheel.coarseNowMs).toBeGreaterThanOrEqual(0)
          expect(armedMs - wheel.coarseNowMs).toBeLessThanOrEqual(20)
        })
      }
      clock.advance(73_000)
      expect(late).toHaveLength(arms.length)
      for (const ms of late) {
        expect(ms).toBeGreaterThanOrEqual(0)
        expect(ms).toBeLessThanOrEqual(20)
      }
    }),
    // Somebody uses the wheel when something is due already, and the wheel is about to wake.
    {
      numRuns: 500,
      examples: [
        [
          [
            { atMs: 26_068, delayMs: 1373 },
            { atMs: 27_452, delayMs: 0 },
          ],
        ],
      ],
    },
  )
})

test('a wheel that nobody uses sleeps, and wakes for what is due or for who uses it', () => {
  const clock = new ManualClock()
  const delays: number[] = []
  const counted: Clock = {
    nowMs: () => clock.nowMs(),
    wallMs: () => clock.wallMs(),
    setTimer: (delayMs, callback) => {
      delays.push(delayMs)
      return clock.setTimer(delayMs, callback)
    },
  }
  const wheel = new TimerWheel(counted, 10)
  const fired: number[] = []
  wheel.arm(new WheelTimer(() => fired.push(clock.nowMs())), 20_000)
  clock.advance(19_000)
  // Fifty ticks, and then once round the wheel after another.
  expect(delays.length).toBeLessThan(60)
  expect(delays.at(-1)).toBeGreaterThan(1000)
  expect(wheel.coarseNowMs).toBe(19_000)
  expect(delays.at(-1)).toBe(10)
  wheel.arm(new WheelTimer(() => fired.push(clock.nowMs())), 30)
  clock.advance(2000)
  expect(fired).toEqual([19_030, 20_000])
})
