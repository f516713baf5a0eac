import { expect, test } from '@jest/globals'
import { ManualClock } from '../lib/clock.ts'
import { CallContext } from './context.ts'
import { carriedNames } from './names.ts'

const EXPECTED = 'x-envoy-expected-rq-timeout-ms'

function contextOf(raw: readonly string[], more = '') {
  const clock = new ManualClock()
  return { clock, context: new CallContext(raw, carriedNames(more), clock) }
}

test('what is left is less by the time since the call came, and never nothing', () => {
  const { clock, context } = contextOf([EXPECTED, '100'])
  clock.advance(30.5)
  expect(context.leftMs()).toBe(69)
  clock.advance(200)
  expect(context.leftMs()).toBe(1)
})

test('of two bounds the shorter counts', () => {
  expect(contextOf([EXPECTED, '100', 'grpc-timeout', '50m']).context.leftMs()).toBe(50)
  expect(contextOf(['Grpc-Timeout', '1S', EXPECTED, '100']).context.leftMs()).toBe(100)
})

test('nobody waits without a bound, nor after the answer', () => {
  expect(contextOf(['a', 'b']).context.leftMs()).toBeUndefined()
  expect(contextOf([EXPECTED, '0']).context.leftMs()).toBeUndefined()
  const { context } = contextOf([EXPECTED, '100', 'b3', '0'])
  context.noteAnswered()
  expect(context.leftMs()).toBeUndefined()
  expect([...context.headers]).toEqual([['b3', '0']])
})

test('lists are joined, of other names the first line counts', () => {
  const raw = ['TraceState', 'a=1', 'B3', '0', 'tracestate', 'b=2', 'b3', '1', 'cookie', 'c']
  expect([...contextOf(raw).context.headers]).toEqual([
    ['tracestate', 'a=1,b=2'],
    ['b3', '0'],
  ])
})

test('further names are taken in any case; those of one message or connection are not', () => {
  const carries = carriedNames(' End-User ,x y,,host,Content-Length,grpc-timeout')
  expect(carries('end-user')).toBe(true)
  for (const name of ['x y', '', 'host', 'content-length', 'grpc-timeout']) expect(carries(name)).toBe(false)
})

test("all of Datadog's names are taken", () => {
  expect(carriedNames('')('x-datadog-origin')).toBe(true)
  expect(carriedNames('')('x-datadog')).toBe(false)
})
