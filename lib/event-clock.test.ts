import { expect, test } from '@jest/globals'
import { ManualClock, type Timer } from './clock.ts'
import { EventClock } from './event-clock.ts'
import { randomInt, seededRandom } from './random.ts'

test('runs timers by due time, then in the order in which they were set', () => {
  const clock = new EventClock(1000)
  const seen: string[] = []
  const note = (name: string) => () => seen.push(`${name}@${clock.nowMs()}`)
  clock.setTimer(5, note('b'))
  clock.setTimer(5, note('c'))
  clock.setTimer(1, note('a'))
  clock.setTimer(9, note('late'))
  clock.setTimer(-3, () => clock.setTimer(0, note('nested')))
  clock.runUntil(7)
  expect(seen).toEqual(['nested@0', 'a@1', 'b@5', 'c@5'])
  expect([clock.nowMs(), clock.wallMs(), clock.pendingTimers, clock.ran]).toEqual([7, 1007, 1, 5])
})

test('a cancelled timer does not run, and one that has run cannot be cancelled', () => {
  const clock = new EventClock()
  const seen: string[] = []
  const first = clock.setTimer(1, () => seen.push('first'))
  const second = clock.setTimer(2, () => seen.push('second'))
  second.cancel()
  second.cancel()
  expect(clock.pendingTimers).toBe(1)
  clock.runUntil(3)
  first.cancel()
  expect(seen).toEqual(['first'])
  expect(clock.pendingTimers).toBe(0)
})

test('does as a ManualClock does, whatever is set and cancelled', () => {
  const seed = 20_261
  /** What runs, and when: the same draws for either clock. */
  const run = (clock: ManualClock | EventClock, advance: (toMs: number) => void) => {
    const random = seededRandom(seed)
    const seen: string[] = []
    const timers: Timer[] = []
    const set = (id: number, depth: number) => {
      timers.push(
        clock.setTimer(randomInt(random, 40) / 2, () => {
          seen.push(`${id} ${clock.nowMs()}`)
          if (depth < 3 && random.next() < 0.4) set(id + 10_000, depth + 1)
          if (random.next() < 0.3) timers[randomInt(random, timers.length)]?.cancel()
        }),
      )
    }
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 150; i++) set(round * 150 + i, 0)
      // Enough of them that the heap is cleaned up.
      for (let i = 0; i < 60; i++) timers[randomInt(random, timers.length)]?.cancel()
      advance(round * 7)
    }
    advance(1000)
    return { seen, pending: clock.pendingTimers }
  }
  const manual = new ManualClock()
  const events = new EventClock()
  const expected = run(manual, (toMs) => manual.advance(toMs - manual.nowMs()))
  const found = run(events, (toMs) => events.runUntil(toMs))
  expect(found).toEqual(expected)
  expect(found.seen.length).toBeGreaterThan(1000)
})

test('forgets cancelled timers before they are due', () => {
  const clock = new EventClock()
  let ran = 0
  for (let i = 0; i < 5000; i++) {
    const timer = clock.setTimer(1000 + (i % 7), () => ran++)
    if (i % 5 !== 0) timer.cancel()
  }
  expect(clock.pendingTimers).toBe(1000)
  clock.runUntil(2000)
  expect(ran).toBe(1000)
})
