import { expect, test } from '@jest/globals'
import { RandomWords, seededRandom } from '../../../lib/random.ts'
import { TraceIds } from './ids.ts'

/** More than are made at once. */
const MANY = 200

function taken(ids: TraceIds): string {
  const next = ids.traceparents.value(ids.line)
  ids.goOn()
  return next
}

test('identifiers have their digits, all of them random, and no two are the same', () => {
  const ids = new TraceIds(new RandomWords(seededRandom(7)))
  const kinds: readonly (readonly [form: RegExp, randomDigits: number, make: () => string])[] = [
    [/^[0-9a-f]{32}$/, 32, () => ids.traceId(true)],
    [/^[0-9a-f]{16}$/, 16, () => ids.traceId(false)],
    [/^[0-9a-f]{16}$/, 16, () => ids.spanId()],
    // The other half of a trace's identifier is the same for some.
    [/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/, 32, () => taken(ids)],
  ]
  for (const [form, randomDigits, make] of kinds) {
    const made = Array.from({ length: MANY }, make)
    for (const one of made) expect(one).toMatch(form)
    expect(new Set(made).size).toBe(MANY)
    const places = [...(made[0] as string)].map((_, at) => new Set(made.map((one) => one[at])).size)
    expect(places.filter((digits) => digits === 16)).toHaveLength(randomDigits)
  }
})

test('a trace that is kept has digits of its own, and so has a span that is kept', () => {
  const ids = new TraceIds(new RandomWords(seededRandom(7)))
  const kept = Array.from({ length: MANY }, (_, i) => {
    const other = taken(ids)
    if (i % 2 === 0) ids.beginTrace()
    else ids.keepNext()
    expect(ids.isNextKept).toBe(true)
    const parts = [ids.nextTraceId, ids.nextSpanId]
    expect(parts[0]?.slice(16) === parts[1]).toBe(false)
    const next = taken(ids)
    expect([next, ids.isNextKept]).toEqual([`00-${parts[0]}-${parts[1]}-01`, false])
    return [other, next]
  })
  expect(new Set(kept.flat()).size).toBe(2 * MANY)
})

test('none is all zeros', () => {
  let draws = 0
  const zerosFirst = { next: () => (draws++ < 4 ? 0 : -0x8000_0000) }
  expect(new TraceIds(zerosFirst).traceId(true)).toBe('80000000'.repeat(4))
  draws = 2
  expect(new TraceIds(zerosFirst).spanId()).toBe('80000000'.repeat(2))
  draws = 0
  expect(taken(new TraceIds(zerosFirst))).toBe(`00-${'80000000'.repeat(4)}-${'80000000'.repeat(2)}-00`)
  const [some, zero] = [1, 0]
  const zerosThen = [some, some, zero, zero, some, some]
  const ids = new TraceIds({ next: () => zerosThen.shift() ?? some })
  expect(taken(ids)).toBe(`00-${'00000001'.repeat(4)}-${'00000001'.repeat(2)}-00`)
})

test('the same seed gives the same', () => {
  const make = () => {
    const ids = new TraceIds(new RandomWords(seededRandom(3)))
    return Array.from({ length: MANY }, () => [taken(ids), ids.spanId()])
  }
  expect(make()).toEqual(make())
})
