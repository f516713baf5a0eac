import { describe, expect, jest, test } from '@jest/globals'
import fc from 'fast-check'
import { ManualClock } from '../../lib/clock.ts'
import { seededRandom } from '../../lib/random.ts'
import { liveBytes } from '../../test/support/live-bytes.ts'
import type { TokenBucketPlan } from './token-bucket.ts'
import { TokenTable, tokenMemory } from './token-table.ts'

const plan = (maxTokens: number, tokenMs: number, maxValues = 0, id = 'b'): TokenBucketPlan => ({
  id,
  maxTokens,
  tokenMs,
  maxValues,
})

function tables(count: number, clock = new ManualClock(), seed = 1) {
  const memory = tokenMemory(seed)
  return Array.from({ length: count }, () => new TokenTable(memory, count > 1, () => clock.nowMs()))
}

const takeMany = (table: TokenTable, bucket: TokenBucketPlan, times: number, value = '') =>
  Array.from({ length: times }, () => table.take(bucket, value, undefined)).filter(Boolean).length

test('a bucket begins full, and fills evenly up to its size', () => {
  const clock = new ManualClock()
  clock.advance(123_456)
  const [table] = tables(1, clock) as [TokenTable]
  const bucket = plan(4, 100)
  expect(takeMany(table, bucket, 10)).toBe(4)
  expect([table.remaining, table.resetMs]).toEqual([0, 100])
  clock.advance(99)
  expect(takeMany(table, bucket, 1)).toBe(0)
  expect(table.resetMs).toBeCloseTo(1)
  clock.advance(1)
  expect(takeMany(table, bucket, 2)).toBe(1)
  clock.advance(250)
  expect(takeMany(table, bucket, 9)).toBe(2)
  clock.advance(1_000_000)
  expect(table.take(bucket, '', undefined)).toBe(true)
  expect([table.remaining, table.resetMs]).toEqual([3, 0])
  expect(takeMany(table, bucket, 9)).toBe(3)
})

test('all threads take from one bucket', () => {
  const [a, b] = tables(2) as [TokenTable, TokenTable]
  const bucket = plan(5, 1000)
  const same = { ...bucket }
  let taken = 0
  for (let i = 0; i < 10; i++) taken += Number(a.take(bucket, '', undefined)) + Number(b.take(same, '', undefined))
  expect(taken).toBe(5)
})

test('what another thread takes from a bucket while it is made stays taken', () => {
  const [a, b] = tables(2) as [TokenTable, TokenTable]
  const bucket = plan(5, 1000)
  const { compareExchange } = Atomics
  let others = 0
  const spy = jest.spyOn(Atomics, 'compareExchange').mockImplementationOnce((...exchanged: unknown[]) => {
    const before = Reflect.apply(compareExchange, Atomics, exchanged)
    others = takeMany(b, { ...bucket }, 2)
    return before
  })
  const own = takeMany(a, bucket, 10)
  spy.mockRestore()
  expect([others, own]).toEqual([2, 3])
})

test('each value has a bucket, and one that a thread has forgotten keeps what it has spent', () => {
  const [table] = tables(1) as [TokenTable]
  const bucket = plan(2, 1000, 3)
  for (let i = 0; i < 50; i++) expect(takeMany(table, bucket, 3, `v${i}`)).toBe(2)
  for (let i = 0; i < 50; i++) expect(takeMany(table, bucket, 3, `v${i}`)).toBe(0)
})

test('long values have buckets too, and none of them is kept, nor what they are a part of', () => {
  const [table] = tables(1) as [TokenTable]
  const bucket = plan(2, 1000, 1000)
  const partOf = (i: number, length: number) => `${i} ${'x'.repeat(8000)}`.slice(0, length)
  const before = liveBytes()
  const connection = {}
  for (let i = 0; i < 300; i++) {
    for (const length of [100, 600]) {
      expect(takeMany(table, bucket, 3, partOf(i, length))).toBe(2)
      expect(takeMany(table, bucket, 3, partOf(i, length))).toBe(0)
      expect([1, 2, 3].map(() => table.take(bucket, partOf(i, length), connection))).toEqual([true, true, false])
    }
  }
  expect(liveBytes() - before).toBeLessThan(1024 * 1024)
  expect(table.take(bucket, partOf(299, 100), connection)).toBe(false)
})

test('a full table gives the place of the bucket that is the nearest to full', () => {
  const clock = new ManualClock()
  const [table] = tables(1, clock) as [TokenTable]
  const bucket = plan(2, 1_000_000, 10)
  for (let i = 0; i < 200_000; i++) table.take(bucket, `v${i}`, undefined)
  const slow = plan(2, 1_000_000, 10, 'other')
  expect(takeMany(table, slow, 9, 'x')).toBe(2)
})

test('a connection has buckets of its own', () => {
  const [table] = tables(1) as [TokenTable]
  const bucket = plan(2, 1000)
  for (const connection of [{}, {}]) {
    const taken = [1, 2, 3].map(() => table.take(bucket, '', connection))
    expect(taken).toEqual([true, true, false])
  }
})

describe('over any window', () => {
  const seed = Number(process.env.LATEEN_TEST_SEED || 20_261_126)
  test(`no more than the burst and what has come meanwhile is taken, and no less (seed ${seed})`, () => {
    const cases = fc.record({
      max: fc.integer({ min: 1, max: 50 }),
      tokenMs: fc.double({ min: 0.01, max: 500, noNaN: true }),
      seed: fc.integer(),
      threads: fc.integer({ min: 1, max: 3 }),
    })
    fc.assert(
      fc.property(cases, ({ max, tokenMs, seed, threads }) => {
        const clock = new ManualClock()
        const random = seededRandom(seed)
        const some = tables(threads, clock, seed)
        const buckets = some.map(() => plan(max, tokenMs))
        const taken: number[] = []
        for (let i = 0; i < 300; i++) {
          clock.advance(random.next() < 0.5 ? 0 : random.next() * tokenMs * 3)
          const thread = Math.floor(random.next() * threads)
          const isTaken = some[thread]!.take(buckets[thread]!, '', undefined)
          if (isTaken) taken.push(clock.nowMs())
          // A token is refused only where the window before it was full.
          else expect(clock.nowMs() - taken[taken.length - max]!).toBeLessThan(max * tokenMs)
        }
        let worst = 0
        for (let i = 0; i < taken.length; i++) {
          for (let j = i; j < taken.length; j++) {
            worst = Math.max(worst, j - i + 1 - max - (taken[j]! - taken[i]!) / tokenMs)
          }
        }
        expect(worst).toBeLessThan(1e-3)
      }),
      { seed, numRuns: 60 },
    )
  })
})
