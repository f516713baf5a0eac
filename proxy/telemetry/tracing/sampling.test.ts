import { expect, test } from '@jest/globals'
import { seededRandom } from '../../../lib/random.ts'
import { RequestHead } from '../../stream/message.ts'
import { newSpanId, newTraceId } from './ids.ts'
import type { SamplingPlan } from './plan.ts'
import { drawTraced } from './sampling.ts'

const ALWAYS: SamplingPlan = { client: 100, random: 100, overall: 100, usesRequestId: true, packsReason: true }
const NEVER: SamplingPlan = { ...ALWAYS, client: 0, random: 0 }
/** 0x1389 = 5001: of 10,000 the 5,002nd. */
const ID = '00001389-1111-4222-8333-444444444444'

function draw(plan: SamplingPlan, fields: Readonly<Record<string, string>> = {}, id = ID): string {
  const head = new RequestHead()
  head.append('x-request-id', id)
  for (const [name, value] of Object.entries(fields)) head.append(name, value)
  const isTraced = drawTraced(head, plan, seededRandom(1))
  return `${isTraced} ${head.get('x-request-id')?.[14]}`
}

test('what is drawn is written into the identifier', () => {
  expect(draw(ALWAYS)).toBe('true 9')
  expect(draw(NEVER)).toBe('false 4')
  expect(draw({ ...ALWAYS, packsReason: false })).toBe('true 4')
})

test('the identifier is the die', () => {
  expect(draw({ ...ALWAYS, random: 50.02 })).toBe('true 9')
  expect(draw({ ...ALWAYS, random: 50.01 })).toBe('false 4')
})

test('who asks for it is traced: a client as far as clients may, a part of the mesh always', () => {
  expect(draw({ ...NEVER, client: 100 }, { 'x-client-trace-id': 'x' })).toBe('true b')
  expect(draw(NEVER, { 'x-client-trace-id': 'x' })).toBe('false 4')
  expect(draw(NEVER, { 'x-envoy-force-trace': 'true' })).toBe('true a')
})

test('what was said before holds, unless nothing at all is to be traced', () => {
  for (const reason of ['9', 'a', 'b']) {
    const said = `${ID.slice(0, 14)}${reason}${ID.slice(15)}`
    expect(draw(NEVER, {}, said)).toBe(`true ${reason}`)
    expect(draw({ ...NEVER, overall: 0 }, {}, said)).toBe('false 4')
    expect(draw({ ...NEVER, usesRequestId: false }, {}, said)).toBe('false 4')
  }
})

test('an identifier of another kind stays as it is, and is not drawn', () => {
  for (const id of ['abc', 'g'.repeat(36), '']) expect(draw(ALWAYS, {}, id)).toBe(`false ${id[14]}`)
})

test('identifiers have their digits, all of them random', () => {
  const random = seededRandom(7)
  const seen = Array.from({ length: 200 }, () => newTraceId(random, true))
  for (const id of seen) expect(id).toMatch(/^[0-9a-f]{32}$/)
  for (let at = 0; at < 32; at++) expect(new Set(seen.map((id) => id[at])).size).toBe(16)
  expect(newTraceId(random, false)).toMatch(/^[0-9a-f]{16}$/)
  let draws = 0
  const zeroFirst = { next: () => (draws++ < 2 ? 0 : 0.5) }
  expect(newSpanId(zeroFirst)).toBe('8000000080000000')
})
