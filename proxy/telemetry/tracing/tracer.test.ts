import { expect, test } from '@jest/globals'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { RandomWords, seededRandom } from '../../../lib/random.ts'
import { parseRequestHead } from '../../http1/request-parser.ts'
import { NO_NODE } from '../../node-facts.ts'
import { HeaderBlock } from '../../stream/header-block.ts'
import { RequestHead } from '../../stream/message.ts'
import { CallRecord } from '../call-record.ts'
import { CallObservers } from '../observers.ts'
import { ChainWatch } from './chain-watch.ts'
import { TraceIds } from './ids.ts'
import type { TracingPlan } from './plan.ts'
import type { Span } from './span.ts'
import { Tracer } from './tracer.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const ID = '00001389-1111-4222-8333-444444444444'
const PLAN: TracingPlan = {
  direction: 'inbound',
  spawnsUpstreamSpan: false,
  maxPathTagLength: 256,
  isVerbose: false,
  customTags: [],
  sampling: { client: 100, random: 0, overall: 100, usesRequestId: true, packsReason: true },
  provider: {
    kind: 'opentelemetry',
    transport: 'grpc',
    cluster: 'c',
    authority: 'c',
    path: '',
    timeoutMs: 1000,
    headers: [],
    resource: [],
  },
}

/** A call with these fields, as it stands after the tracer has seen its request. */
function begun(fields: readonly string[], plan: Partial<TracingPlan> = {}) {
  const random = seededRandom(1)
  const bugs = { guard: (_name: string, run: () => void) => run }
  const wheel = { arm() {}, disarm() {} }
  const stream = { random, metrics: new MetricStore(), bugs, wheel }
  const spans: Span[] = []
  const sink = { add: (span: Span) => void spans.push(span) }
  const chains = new ChainWatch(stream as never, silentLogger)
  const ids = new TraceIds(new RandomWords(random))
  const tracer = new Tracer({ ...PLAN, ...plan }, { stream, node: NO_NODE } as never, sink, chains, ids)
  const bytes = Buffer.from(
    `GET / HTTP/1.1\r\nhost: a\r\n${fields.map((line) => `${line}\r\n`).join('')}\r\n`,
    'latin1',
  )
  const head = new RequestHead()
  parseRequestHead(bytes, 0, bytes.length - 4, head)
  const facts = { directSourceAddress: '10.0.0.1:1' }
  const decision = { flag: '', retryFlag: '' }
  const record = new CallRecord({ head, facts, decision } as never)
  const throws = (thrown: unknown) => {
    throw thrown
  }
  const observers = new CallObservers([tracer], throws)
  record.begin(observers, {} as never, 0, 0)
  observers.onRequest(record)
  return { record, head, observers, spans, sent: [...head.fields()].slice(1) }
}

test('a call without a trace gets one, by which it is known', () => {
  const { record, sent } = begun([`x-request-id: ${ID}`, 'x-envoy-decorator-operation: op'])
  const { traceId, spanId, isSampled } = record.trace ?? {}
  expect(sent).toEqual([
    ['x-request-id', ID],
    ['traceparent', `00-${traceId}-${spanId}-00`],
  ])
  expect(`${traceId} ${spanId} ${isSampled}`).toMatch(/^[0-9a-f]{32} [0-9a-f]{16} false$/)
})

test('a call that is drawn begins a trace that is kept', () => {
  const drawn = { sampling: { ...PLAN.sampling, random: 100 } }
  const { record, sent, observers, spans } = begun([`x-request-id: ${ID}`, 'x-envoy-decorator-operation: op'], drawn)
  const { traceId, spanId, isSampled } = record.trace ?? {}
  expect(isSampled).toBe(true)
  expect(sent).toEqual([
    ['x-request-id', `${ID.slice(0, 14)}9${ID.slice(15)}`],
    ['traceparent', `00-${traceId}-${spanId}-01`],
  ])
  observers.onEnd([record], 0, 1)
  expect(spans).toMatchObject([{ traceId, spanId, parentId: '', name: 'op' }])
})

test('a call of a trace that is not kept goes on in it, with what vendors say', () => {
  const { record, sent } = begun([
    `traceparent: 00-${TRACE}-${SPAN}-02`,
    'x-envoy-decorator-operation: op',
    'tracestate: a=b',
  ])
  const { traceId, spanId, isSampled } = record.trace ?? {}
  expect([traceId, isSampled, spanId === SPAN]).toEqual([TRACE, false, false])
  expect(sent).toEqual([
    ['tracestate', 'a=b'],
    ['traceparent', `00-${TRACE}-${spanId}-00`],
  ])
})

test.each([
  ['broken', [`traceparent: 00-${TRACE}-${SPAN}-0x`]],
  ['there twice', [`traceparent: 00-${TRACE}-${SPAN}-00`, `traceparent: 00-${TRACE}-${SPAN}-00`]],
  ['not there', []],
])('a trace whose context is %s is another, and what vendors said goes', (_title, lines) => {
  const { record, sent } = begun([...lines, 'tracestate: a=b'])
  const { traceId, spanId } = record.trace ?? {}
  expect(traceId).not.toBe(TRACE)
  expect(sent).toEqual([['traceparent', `00-${traceId}-${spanId}-00`]])
})

test('a call that speaks of B3 too is answered in both', () => {
  const { record, sent } = begun([`traceparent: 00-${TRACE}-${SPAN}-00`, `b3: ${TRACE}-${SPAN}-0`])
  const { spanId } = record.trace ?? {}
  expect(sent).toEqual([
    ['traceparent', `00-${TRACE}-${spanId}-00`],
    ['b3', `${TRACE}-${spanId}-0-${SPAN}`],
  ])
})

test('a caller keeps the operation that it sends, and one that comes is taken', () => {
  const lines = ['x-envoy-decorator-operation: op']
  expect(begun(lines, { direction: 'outbound' }).sent.map(([name]) => name)).toEqual([
    'x-envoy-decorator-operation',
    'traceparent',
  ])
  for (const flags of ['00', '01']) {
    const { sent } = begun([...lines, `traceparent: 00-${TRACE}-${SPAN}-${flags}`])
    expect(sent.map(([name]) => name)).toEqual(['traceparent'])
  }
})

test('a kept call tells of the last answer’s status', () => {
  const { record, observers, spans } = begun([
    `traceparent: 00-${TRACE}-${SPAN}-01`,
    'content-type: application/grpc',
    'x-envoy-decorator-operation: op',
  ])
  for (const fields of [{ 'grpc-status': '0', 'grpc-message': 'fine' }, { 'grpc-status': '14' }]) {
    const answer = new HeaderBlock()
    for (const [name, value] of Object.entries(fields)) answer.append(name, value)
    observers.onResponse(record, answer)
    record.keepResponse(200, answer)
  }
  observers.onEnd([record], 0, 1)
  const [span] = spans
  expect(span).toMatchObject({ traceId: TRACE, parentId: SPAN, name: 'op', isError: true })
  const tags = span?.tags ?? []
  const valueIn = (name: string) => (tags.includes(name) ? tags[tags.indexOf(name) + 1] : undefined)
  expect(['grpc.status_code', 'grpc.message', 'error'].map(valueIn)).toEqual(['14', undefined, 'true'])
})
