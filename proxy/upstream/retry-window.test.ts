import { expect, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../lib/random.ts'
import { RetryWindow } from './retry-window.ts'

function windowAt(threads = 1) {
  const time = { coarseNowMs: 0 }
  return { time, window: new RetryWindow(time, threads) }
}

/** Spends as long as it may. */
function spendAll(window: RetryWindow, percent = 20): number {
  let spent = 0
  for (; window.allows(percent) && spent < 10_000; spent++) window.spend()
  return spent
}

test('without any success a few retries are free, and then no more', () => {
  const { window, time } = windowAt()
  expect(spendAll(window)).toBe(5)
  time.coarseNowMs = 4_999
  expect(window.allows(20)).toBe(false)
  time.coarseNowMs = 5_000
  expect(spendAll(window)).toBe(5)
})

test('successes earn a percentage, for as long as the window lasts', () => {
  const { window, time } = windowAt()
  for (let i = 0; i < 1000; i++) window.earn()
  expect(spendAll(window)).toBe(200)
  time.coarseNowMs = 3_000
  for (let i = 0; i < 100; i++) window.earn()
  expect(spendAll(window)).toBe(20)
  // The first second is forgotten, what was earned with what was spent.
  time.coarseNowMs = 5_500
  expect(window.allows(20)).toBe(false)
  time.coarseNowMs = 60_000
  expect(spendAll(window)).toBe(5)
})

test('what is given back can be spent again, but not after it was forgotten', () => {
  const { window, time } = windowAt()
  const second = window.spend()
  spendAll(window)
  window.refund(second)
  expect(spendAll(window)).toBe(1)
  time.coarseNowMs = 5_000
  window.refund(second)
  expect(spendAll(window)).toBe(5)
})

test('threads share what is free', () => {
  expect(spendAll(windowAt(4).window)).toBe(2)
})

test('in any window there are never more retries than it allows', () => {
  const seed = Date.now() % 100_000
  const random = seededRandom(seed)
  const { window, time } = windowAt()
  const earned: number[] = []
  const spent: number[] = []
  for (let step = 0; step < 20_000; step++) {
    time.coarseNowMs += randomInt(random, 40)
    const second = Math.floor(time.coarseNowMs / 1000)
    if (randomInt(random, 100) < 30) {
      window.earn()
      earned.push(second)
    } else if (window.allows(20)) {
      window.spend()
      spent.push(second)
      const isIn = (at: number) => at > second - 5
      const most = Math.max(5, earned.filter(isIn).length * 0.2)
      if (spent.filter(isIn).length > most) throw new Error(`seed ${seed}: too many retries at ${time.coarseNowMs} ms`)
    }
  }
  expect(spent.length).toBeGreaterThan(100)
})
