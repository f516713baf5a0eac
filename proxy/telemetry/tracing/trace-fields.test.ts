import { expect, test } from '@jest/globals'
import { HeaderBlock } from '../../stream/header-block.ts'
import { FOUND, TraceFields } from './trace-fields.ts'

const NAMES: Readonly<Record<string, number>> = {
  b3: FOUND.b3,
  traceparent: FOUND.traceparent,
  tracestate: FOUND.tracestate,
  'x-b3-traceid': FOUND.b3,
  'x-b3-spanid': FOUND.b3,
  'x-b3-parentspanid': FOUND.b3,
  'x-b3-sampled': FOUND.b3,
  'x-b3-flags': FOUND.b3,
  'x-client-trace-id': FOUND.clientTraceId,
  'x-envoy-force-trace': FOUND.forceTrace,
  'x-envoy-decorator-operation': FOUND.decorator,
  'x-request-id': FOUND.requestId,
}
const OTHERS = ['te', 'accept', 'user-agent', 'x-response-i', 'transmitted', 'a'.repeat(34), 'a'.repeat(43), 'via']

/** A block that has received fields of these names. */
function received(names: readonly string[]): HeaderBlock {
  const block = new HeaderBlock()
  // It begins somewhere in its bytes.
  block.base = 3
  let text = ''
  for (const name of names) {
    const start = text.length
    text += `${name}: v\r\n`
    block.at.set([start, start + name.length, start + name.length + 2, start + name.length + 3], 4 * block.count++)
  }
  block.at[4 * block.count] = text.length
  block.bytes = Buffer.from(`abc${text}`, 'latin1')
  return block
}

function added(names: readonly string[]): HeaderBlock {
  const block = new HeaderBlock()
  for (const name of names) block.append(name, 'v')
  return block
}

const fields = new TraceFields()

test.each(Object.entries(NAMES))('%s is found wherever it stands, in any case', (name, bit) => {
  for (const make of [received, added]) {
    for (const one of [name, name.toUpperCase()]) {
      fields.read(make([...OTHERS, one]))
      expect(fields.found).toBe(bit)
    }
  }
})

test('other names are none of them', () => {
  for (const make of [received, added]) {
    fields.read(make(OTHERS))
    expect(fields).toMatchObject({ found: 0, requestIds: 0, traceparents: 0 })
  }
})

test('places are told of, and what was removed is not there', () => {
  const block = received(['x-request-id', 'traceparent', 'a', 'traceparent', 'x-request-id'])
  fields.read(block)
  expect(fields).toMatchObject({
    requestIds: 2,
    requestIdAt: 4,
    addedRequestIdAt: -1,
    traceparents: 2,
    traceparentAt: 3,
  })
  block.removeAt(3)
  block.remove('x-request-id')
  block.append('via', 'v')
  block.append('x-request-id', 'v')
  fields.read(block)
  expect(fields).toMatchObject({
    requestIds: 1,
    requestIdAt: -1,
    addedRequestIdAt: 1,
    traceparents: 1,
    traceparentAt: 1,
  })
  block.remove('traceparent')
  block.append('traceparent', 'v')
  fields.read(block)
  expect(fields).toMatchObject({ traceparents: 1, traceparentAt: -1 })
})
