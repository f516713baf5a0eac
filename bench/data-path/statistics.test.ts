import { expect, test } from '@jest/globals'
import { pairedRatio, quantile, spread } from './statistics.ts'

test('the median of an even number of values lies between the two in the middle', () => {
  expect(spread([4, 1, 3])).toEqual({ median: 3, low: 1, high: 4 })
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, low: 1, high: 4 })
  expect(spread([]).median).toBeNaN()
})

test('a round in which all is slow does not move the paired ratio', () => {
  expect(pairedRatio([10, 11, 40], [20, 22, 80])).toEqual({ median: 0.5, low: 0.5, high: 0.5 })
})

test('rounds whose reference is not above zero say nothing, and half of them are too many', () => {
  expect(pairedRatio([1, 2, 3], [2, -1, 2])).toEqual({ median: 1, low: 0.5, high: 1.5 })
  expect(pairedRatio([1, 2], [2, 0]).median).toBeNaN()
  expect(pairedRatio([1, 2, 3], []).median).toBeNaN()
})

test('quantiles take the nearest rank', () => {
  const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1)
  expect(quantile(hundred, 0.5)).toBe(50)
  expect(quantile(hundred, 0.99)).toBe(99)
  expect(quantile(hundred, 1)).toBe(100)
  expect(quantile(hundred.subarray(0, 7), 0.5)).toBe(4)
  expect(quantile(Float64Array.of(7), 0.01)).toBe(7)
})
