import { expect, test } from '@jest/globals'
import { env } from '../../lib/env.ts'
import { randomInt, seededRandom, systemRandom } from '../../lib/random.ts'
import { Allocation, FixedWindow, RollingWindow } from './window.ts'

test('a fixed window gives all back when it ends', () => {
  const window = new FixedWindow(1000)
  expect(window.take(2, false, 3, 100)).toBe(2)
  expect(window.take(2, false, 3, 500)).toBe(0)
  expect(window.take(2, true, 3, 500)).toBe(1)
  expect(window.resetMs(600)).toBe(500)
  expect(window.used(1099)).toBe(3)
  expect(window.used(1100)).toBe(0)
  expect(window.take(3, false, 3, 1100)).toBe(3)
  expect(window.resetMs(1100)).toBe(1000)
})

test('what is allocated stays so', () => {
  const window = new Allocation()
  expect([window.take(2, false, 3), window.take(2, false, 3), window.take(2, true, 3)]).toEqual([2, 0, 1])
  expect(window.used()).toBe(3)
})

test('a rolling window gives back what has left it', () => {
  const window = new RollingWindow(1000, 100)
  expect(window.take(1, false, 2, 0)).toBe(1)
  expect(window.take(1, false, 2, 550)).toBe(1)
  expect(window.take(1, false, 2, 999)).toBe(0)
  expect(window.resetMs(999)).toBe(101)
  expect(window.take(1, false, 2, 1100)).toBe(1)
  expect(window.take(1, false, 2, 1500)).toBe(0)
  expect(window.take(1, false, 2, 1600)).toBe(1)
  // After a long time it is as new.
  expect(window.used(1e9)).toBe(0)
  expect(window.resetMs(1e9)).toBe(0)
})

test('no window of the length holds more than the limit, and a limit that is asked for all the time is used up', () => {
  const seed = Number(env('LATEEN_TEST_SEED') || randomInt(systemRandom, 1e9))
  process.stdout.write(`windows: LATEEN_TEST_SEED=${seed}\n`)
  const random = seededRandom(seed)
  for (let round = 0; round < 50; round++) {
    const windowMs = 100 + randomInt(random, 5000)
    const max = 1 + randomInt(random, 20)
    const window = new RollingWindow(windowMs)
    const taken: [atMs: number, amount: number][] = []
    let nowMs = randomInt(random, 1e6)
    const startMs = nowMs
    for (let i = 0; i < 500; i++) {
      nowMs += random.next() * windowMs * 0.1
      const amount = window.take(1 + randomInt(random, 3), true, max, nowMs)
      if (amount > 0) taken.push([nowMs, amount])
    }
    for (const [fromMs] of taken) {
      const within = taken.filter(([atMs]) => atMs >= fromMs && atMs < fromMs + windowMs)
      expect([seed, round, within.reduce((sum, [, amount]) => sum + amount, 0) <= max]).toEqual([seed, round, true])
    }
    const total = taken.reduce((sum, [, amount]) => sum + amount, 0)
    // Two slots of 32 are the most that is lost at each end.
    expect(total).toBeGreaterThan(((nowMs - startMs) / windowMs - 1) * max * 0.8)
  }
})
