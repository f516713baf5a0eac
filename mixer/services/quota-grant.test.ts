import { create } from '@bufbuild/protobuf'
import { Metadata } from '@grpc/grpc-js'
import { expect, test } from '@jest/globals'
import { RateLimitRequestSchema } from '../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { References } from '../attributes/references.ts'
import type { QuotaAnswer } from '../rules/dispatcher.ts'
import { type QuotaTaking, takeAhead, wantedOf } from './quota-grant.ts'

/** A quota of which so much is left. */
function quotaOf(left: number, windowMs = 5_000) {
  const taken: number[] = []
  const take = (hits: number): QuotaAnswer[] => {
    const granted = hits <= left
    if (granted) left -= hits
    taken.push(granted ? hits : 0)
    const tightest = {
      granted: granted ? hits : 0,
      validDurationMs: windowMs,
      maxAmount: 1_000,
      remaining: left,
      resetMs: 2_500,
    }
    return [{ granted, tightest, references: new References(), problem: '' }]
  }
  return { take, taken }
}

test.each([
  ['what is wanted', 1_001, 40, [1, 39], { granted: 40, validDurationMs: 5_000 }],
  ['a quarter of what is left at most', 101, 1_000, [1, 25], { granted: 26, validDurationMs: 5_000 }],
  ['nothing ahead of what is nearly used up', 20, 1_000, [1], { granted: 1, validDurationMs: 5_000 }],
  ['nothing to who wants one', 1_000, 1, [1], { granted: 1, validDurationMs: 5_000 }],
  ['nothing, and not for more than a second', 0, 10, [0], { granted: 0, validDurationMs: 1_000 }],
])('%s is granted', (_name, left, wanted, taken, grant) => {
  const quota = quotaOf(left)
  expect((takeAhead(quota.take, 1, wanted) as QuotaTaking).grant).toEqual(grant)
  expect(quota.taken).toEqual(taken)
})

test('a quota without end is told as one of a minute, and what is charged to nothing as one of five seconds', () => {
  expect((takeAhead(quotaOf(1_000, 0).take, 1, 10) as QuotaTaking).grant?.validDurationMs).toBe(60_000)
  const unbound = () => [{ granted: true, tightest: undefined, references: new References(), problem: '' }]
  expect((takeAhead(unbound, 1, 10) as QuotaTaking).grant).toEqual({ granted: 10_000, validDurationMs: 5_000 })
})

test('what cannot be had for several calls at once is had for one', async () => {
  const quota = quotaOf(1_000)
  const take = (hits: number) => (hits === 1 ? quota.take(1) : quota.take(1e6))
  expect((takeAhead(take, 1, 10) as QuotaTaking).grant?.granted).toBe(1)
  const later = (hits: number) => Promise.resolve(take(hits))
  expect((await takeAhead(later, 1, 10)).grant?.granted).toBe(1)
})

test('a proxy says what it wants; of a call with an id nothing is given ahead', () => {
  const request = (key: string) => create(RateLimitRequestSchema, { descriptors: [{ entries: [{ key, value: 'a' }] }] })
  const metadata = (value: string) => {
    const fields = new Metadata()
    fields.set('lateen-quota-wanted', value)
    return fields
  }
  expect(wantedOf(metadata('7'), request('a'))).toBe(7)
  expect(wantedOf(metadata('7'), request('request.id'))).toBe(0)
  for (const value of ['-1', 'x', '1.5']) expect(wantedOf(metadata(value), request('a'))).toBe(0)
  expect(wantedOf(new Metadata(), request('a'))).toBe(0)
})
