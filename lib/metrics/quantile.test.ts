import { expect, test } from '@jest/globals'
import { quantile } from './quantile.ts'

test.each([
  [0, 0],
  [0.25, 5],
  [0.5, 10],
  [0.75, 30],
  [1, 40],
])('the quantile %d of values in two buckets is %d', (q, expected) => {
  expect(quantile({ bounds: [10, 20, 40], counts: [2, 0, 2, 0] }, q)).toBe(expected)
})

test('the least begins at the first bucket that has a value', () => {
  expect(quantile({ bounds: [10, 20], counts: [0, 4, 0] }, 0)).toBe(10)
})

test('what is beyond all bounds is taken for the last of them; nothing has no quantile', () => {
  expect(quantile({ bounds: [10, 20], counts: [0, 0, 3] }, 0.99)).toBe(20)
  expect(quantile({ bounds: [10], counts: [0, 0] }, 0.5)).toBeNaN()
})
