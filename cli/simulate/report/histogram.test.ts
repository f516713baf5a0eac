import { expect, test } from '@jest/globals'
import { seededRandom } from '../../../lib/random.ts'
import { LatencyHistogram } from './histogram.ts'

test('tells quantiles to within a 64th', () => {
  const random = seededRandom(7)
  const values = Array.from({ length: 20_000 }, () => Math.exp(random.next() * 12 - 4))
  const histogram = new LatencyHistogram()
  for (const value of values) histogram.add(value)
  values.sort((a, b) => a - b)
  for (const part of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(part * values.length) - 1] as number
    const found = histogram.quantileMs(part)
    expect(found).toBeGreaterThanOrEqual(exact - 0.0006)
    expect(found).toBeLessThanOrEqual(exact * (1 + 1 / 64) + 0.001)
  }
  expect(histogram.quantileMs(1)).toBe(histogram.maxMs)
})

test('is exact for small numbers, adds up, and says 0 of nothing', () => {
  const one = new LatencyHistogram()
  expect(one.quantileMs(0.5)).toBe(0)
  const other = new LatencyHistogram()
  for (const ms of [0.001, 0.002, 0.003]) one.add(ms)
  other.add(0.1)
  one.addAll(other)
  expect([one.count, one.quantileMs(0.5), one.quantileMs(0.75), one.quantileMs(0.99)]).toEqual([4, 0.002, 0.003, 0.1])
  one.add(1e12)
  expect(one.quantileMs(1)).toBeGreaterThan(1e9)
})
