import { expect, test } from '@jest/globals'
import { seededRandom } from '../../lib/random.ts'
import { isLikely, latenciesMs, measure, quantile, type Sample, type Sender } from './statistics.ts'

function samples(sender: Sender, version: string, count: number, error = ''): Sample[] {
  return Array.from({ length: count }, (_, i) => ({ sender, version, error, sentMs: i, doneMs: i + 2 }))
}

test('quantiles are values that were measured', () => {
  expect(quantile([3, 1, 2], 0.5)).toBe(2)
  expect(quantile([4, 3, 1, 2], 0.5)).toBe(2)
  const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
  expect(quantile(hundred, 0.99)).toBe(99)
  expect(quantile(hundred, 1)).toBe(100)
  expect(quantile([5], 0.99)).toBe(5)
  expect(quantile([], 0.5)).toBeNaN()
})

test('all and none are exact', () => {
  expect(isLikely(400, 400, 1)).toBe(true)
  expect(isLikely(399, 400, 1)).toBe(false)
  expect(isLikely(0, 400, 0)).toBe(true)
  expect(isLikely(1, 400, 0)).toBe(false)
})

test('four standard deviations are the limit', () => {
  // Of 400 at one half: 200, and a deviation of 10.
  expect(isLikely(240, 400, 0.5)).toBe(true)
  expect(isLikely(241, 400, 0.5)).toBe(false)
  expect(isLikely(160, 400, 0.5)).toBe(true)
  expect(isLikely(159, 400, 0.5)).toBe(false)
})

test('fair draws pass, and a split that is off by half does not', () => {
  const random = seededRandom(42)
  const draw = (share: number) => Array.from({ length: 400 }).filter(() => random.next() < share).length
  for (let i = 0; i < 200; i++) expect(isLikely(draw(0.1), 400, 0.1)).toBe(true)
  expect(isLikely(draw(0.5), 400, 0.1)).toBe(false)
})

test('shares are of the answers to the same senders', () => {
  const all = [
    ...samples('test users', 'v2', 10),
    ...samples('others', 'v1', 90),
    ...samples('others', '', 5, 'status 503'),
  ]
  const [testers, others, everyone] = measure(
    [
      { who: 'test users', version: 'v2', asked: 1 },
      { who: 'others', version: 'v2', asked: 0 },
      { who: 'everyone', version: 'v1', asked: 0.9 },
    ],
    all,
  )
  expect(testers).toMatchObject({ answers: 10, total: 10, isWithin: true })
  expect(others).toMatchObject({ answers: 0, total: 90, isWithin: true })
  expect(everyone).toMatchObject({ answers: 90, total: 100, isWithin: true })
})

test('no answers at all are not the split that was asked', () => {
  const [share] = measure([{ who: 'everyone', version: 'v1', asked: 1 }], samples('others', '', 5, 'refused'))
  expect(share).toMatchObject({ total: 0, isWithin: false })
})

test('latencies are those of answers', () => {
  expect(latenciesMs([...samples('others', 'v1', 2), ...samples('others', '', 1, 'refused')])).toEqual([2, 2])
})
