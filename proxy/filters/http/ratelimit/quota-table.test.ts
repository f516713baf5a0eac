import { create, type JsonObject } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import {
  RateLimitResponse_Code as Code,
  RateLimitResponseSchema,
} from '../../../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { ManualClock } from '../../../../lib/clock.ts'
import { MetricStore } from '../../../../lib/metrics/store.ts'
import type { SideResult } from '../../../stream/side-call.ts'
import { readLimitAnswer } from './answer.ts'
import { MAX_ENTRIES, QuotaTable } from './quota-table.ts'
import { answerOf, requestFor } from './testing.ts'

const FAILED: SideResult = { kind: 'failed', reason: 'timeout' }

function answered(granted: number | undefined, validDurationMs = 1000, isOver = granted === 0): SideResult {
  const said: JsonObject = { 'lateen.mesh/quota': { granted: granted ?? 0, validDurationMs } }
  const response = create(RateLimitResponseSchema, {
    overallCode: isOver ? Code.OVER_LIMIT : Code.OK,
    ...(granted !== undefined && { dynamicMetadata: said }),
  })
  return answerOf(response)
}

/** A table whose questions ahead are answered when the test says so. */
function tableOf() {
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const ahead: { wanted: number; answer: (result: SideResult) => void }[] = []
  const table = new QuotaTable(clock, metrics, (request, answer) => {
    ahead.push({ wanted: Number(request.headers[0]?.[1]), answer })
  })
  const ask = (result: SideResult, key = 'k') => {
    const begun = table.begin(key, requestFor)
    begun.end(readLimitAnswer(result), 1)
    return begun.wanted
  }
  const take = (times: number) => Array.from({ length: times }, () => table.take('k')?.kind)
  return { clock, metrics, table, ahead, ask, take }
}

test('as many calls pass as were granted, until the time is over', () => {
  const { clock, ask, take } = tableOf()
  expect(ask(answered(3))).toBe(10)
  expect(take(3)).toEqual(['ok', 'ok', undefined])
  ask(answered(3))
  clock.advance(999)
  expect(take(1)).toEqual(['ok'])
  clock.advance(1)
  expect(take(1)).toEqual([undefined])
})

test('the time runs from the question, and not from its answer', () => {
  const { clock, table, take } = tableOf()
  const begun = table.begin('k', requestFor)
  clock.advance(600)
  begun.end(readLimitAnswer(answered(5)), 1)
  clock.advance(399)
  expect(take(1)).toEqual(['ok'])
  clock.advance(1)
  expect(take(1)).toEqual([undefined])
})

test('a refusal is known for as long as it says; a server that says nothing is asked each time', () => {
  const { clock, ask, take } = tableOf()
  ask(answered(0, 400))
  clock.advance(399)
  expect(take(1)).toEqual(['over_limit'])
  clock.advance(1)
  expect(take(1)).toEqual([undefined])
  ask(answered(undefined))
  expect(take(1)).toEqual([undefined])
  ask(answered(undefined, 0, true))
  expect(take(1)).toEqual([undefined])
})

test('more is asked for when less than half is left, once, and what comes is added', () => {
  const { ahead, ask, take } = tableOf()
  ask(answered(10))
  take(4)
  expect(ahead).toHaveLength(0)
  take(1)
  expect(ahead.map(({ wanted }) => wanted)).toEqual([10])
  take(2)
  expect(ahead).toHaveLength(1)
  ahead[0]?.answer(answered(4))
  // Two of the old ones, and four new.
  expect(take(7)).toEqual([...Array(6).fill('ok'), undefined])
})

test('while one asks for many, a call asks for itself only; when that one ends without an answer, the next asks for many', () => {
  const { table } = tableOf()
  const first = table.begin('k', requestFor)
  expect([first.wanted, table.begin('k', requestFor).wanted]).toEqual([10, 1])
  first.end({ kind: 'error' }, 1)
  expect(table.begin('k', requestFor).wanted).toBe(10)
})

test.each([
  ['there is nothing left', answered(0, 100)],
  ['nobody answers', FAILED],
])('nothing is asked ahead for half a second after %s', (_name, result) => {
  const { clock, ahead, ask, take } = tableOf()
  ask(answered(10, 5_000))
  take(5)
  ahead[0]?.answer(result)
  expect(take(1)).toEqual(['ok'])
  clock.advance(499)
  expect(take(1)).toEqual(['ok'])
  expect(ahead).toHaveLength(1)
  clock.advance(1)
  take(1)
  expect(ahead).toHaveLength(2)
})

test('the need is what came in a second, for as long as grants last', () => {
  const { clock, ask, take } = tableOf()
  ask(answered(1, 3_000))
  for (let i = 0; i < 100; i++) {
    clock.advance(10)
    take(1)
  }
  expect(ask(answered(1, 60_000))).toBe(300)
  expect(ask(answered(1))).toBe(500)
  // Two quiet seconds, and nothing is foreseen.
  clock.advance(2_000)
  take(1)
  expect(ask(answered(1))).toBe(10)
})

test('tables are bounded', () => {
  const { metrics, table, ask } = tableOf()
  for (let i = 0; i < MAX_ENTRIES + 5; i++) ask(answered(5), `k${i}`)
  expect([table.size, metrics.counter('ratelimit.quota_evicted').value]).toEqual([MAX_ENTRIES, 5])
  expect([table.take('k4'), table.take('k5')?.kind]).toEqual([undefined, 'ok'])
  const long = 'k'.repeat(5_000)
  expect([ask(answered(5), long), table.take(long), table.size]).toEqual([1, undefined, MAX_ENTRIES])
})
