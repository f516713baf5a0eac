import { expect, test } from '@jest/globals'
import { seededRandom } from '../../../lib/random.ts'
import { parseRequestHead } from '../../http1/request-parser.ts'
import { sharedField } from '../../stream/field-batch.ts'
import { RequestHead } from '../../stream/message.ts'
import { RequestIds } from '../../stream/request-ids.ts'
import type { SamplingPlan } from './plan.ts'
import { drawTraced } from './sampling.ts'
import { TraceFields } from './trace-fields.ts'

const ALWAYS: SamplingPlan = { client: 100, random: 100, overall: 100, usesRequestId: true, packsReason: true }
const NEVER: SamplingPlan = { ...ALWAYS, client: 0, random: 0 }
/** 0x1389 = 5001: of 10,000 the 5,002nd. */
const ID = '00001389-1111-4222-8333-444444444444'

/** The outcome for an identifier that came, which must be that for one that was added. */
function draw(plan: SamplingPlan, fields: Readonly<Record<string, string>> = {}, id = ID): string {
  const added = new RequestHead()
  added.append('x-request-id', id)
  for (const [name, value] of Object.entries(fields)) added.append(name, value)
  const came = received({ 'X-Request-ID': id, ...fields })
  const [outcome, other] = [came, added].map((head) => {
    const isTraced = drawTraced(head, fieldsOf(head), plan, seededRandom(1))
    return `${isTraced} ${head.get('x-request-id')?.[14]}`
  })
  expect(other).toBe(outcome)
  return outcome as string
}

function received(fields: Readonly<Record<string, string>>): RequestHead {
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  const bytes = Buffer.from(`GET / HTTP/1.1\r\nhost: a\r\n${lines.join('')}\r\n`, 'latin1')
  const head = new RequestHead()
  expect(parseRequestHead(bytes, 0, bytes.length - 4, head)).toBeUndefined()
  return head
}

function fieldsOf(head: RequestHead): TraceFields {
  const fields = new TraceFields()
  fields.read(head)
  return fields
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

test('an identifier that is made here is drawn as one that came', () => {
  const ids = new RequestIds()
  let drawn = 0
  for (let i = 0; i < 300; i++) {
    const own = new RequestHead()
    ids.addTo(own)
    const id = own.get('x-request-id') as string
    const plan = { ...ALWAYS, random: 30 }
    const outcome = `${drawTraced(own, fieldsOf(own), plan, seededRandom(1))} ${own.get('x-request-id')?.[14]}`
    expect(outcome).toBe(draw(plan, {}, id))
    if (outcome === 'true 9') drawn++
  }
  // Five standard deviations.
  expect(Math.abs(drawn - 90)).toBeLessThan(40)
})

test('an identifier that many requests are given is another for one that is traced', () => {
  const many = sharedField('x-request-id', ID)
  const heads = [new RequestHead(), new RequestHead()] as const
  for (const head of heads) head.appendOf(many)
  expect(drawTraced(heads[0], fieldsOf(heads[0]), ALWAYS, seededRandom(1))).toBe(true)
  expect(heads.map((head) => head.get('x-request-id')?.[14])).toEqual(['9', '4'])
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
  const broken = [8, 13, 18, 23, 35].map((at) => `${ID.slice(0, at)}x${ID.slice(at + 1)}`)
  for (const id of ['abc', 'g'.repeat(36), '', ...broken]) expect(draw(ALWAYS, {}, id)).toBe(`false ${id[14]}`)
  for (const id of broken) expect(draw(NEVER, { 'x-envoy-force-trace': '1' }, id)).toBe('false 4')
})

test('two identifiers are none', () => {
  const head = received({ 'x-request-id': ID })
  head.append('x-request-id', ID)
  expect(drawTraced(head, fieldsOf(head), ALWAYS, seededRandom(1))).toBe(false)
  expect(head.get('x-request-id')).toBe(`${ID},${ID}`)
})

test('another digit of the version becomes that of no reason', () => {
  expect(draw(NEVER, {}, `${ID.slice(0, 14)}7${ID.slice(15)}`)).toBe('false 4')
})
