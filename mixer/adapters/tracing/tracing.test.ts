import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { ManualClock } from '../../../lib/clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import type { Instance, InstanceValues } from '../adapter.ts'
import { zipkin } from '../zipkin/zipkin.ts'
import { isSampled, readableSpan } from './readable-span.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const VALUES: InstanceValues = {
  traceId: TRACE_ID,
  spanId: 'B7AD6B7169203331',
  parentSpanId: '00f067aa0ba902b7',
  spanName: '/reviews',
  startTime: 1_700_000_000_123.456,
  endTime: 1_700_000_000_125.456,
  sourceName: 'productpage',
  destinationName: 'reviews',
  clientSpan: true,
  httpStatusCode: 503,
  spanTags: { a: 'b', n: 1, m: { k: 'v' } },
}
const span = (values: InstanceValues): Instance => ({ key: 's.instance.a', name: 's', template: 'tracespan', values })
const resourceOf = (service: string) => resourceFromAttributes({ 'service.name': service })
const made = (more: InstanceValues = {}) => readableSpan(span({ ...VALUES, ...more }), resourceOf)
const closings: (() => void)[] = []

afterEach(() => {
  for (const close of closings.splice(0)) close()
})

test('an instance as exporters take it', () => {
  const found = made()
  expect(found?.spanContext()).toEqual({ traceId: TRACE_ID, spanId: 'b7ad6b7169203331', traceFlags: 1 })
  expect(found?.parentSpanContext?.spanId).toBe('00f067aa0ba902b7')
  expect(found).toMatchObject({
    name: '/reviews',
    kind: 2,
    startTime: [1_700_000_000, 123_456_055],
    status: { code: 2 },
    attributes: { a: 'b', n: 1, m: '{"k":"v"}', 'http.response.status_code': 503, 'destination.name': 'reviews' },
    resource: { attributes: { 'service.name': 'productpage' } },
  })
  expect(made({ clientSpan: false })).toMatchObject({
    kind: 1,
    resource: { attributes: { 'service.name': 'reviews' } },
  })
  expect(made({ clientSpan: undefined, httpStatusCode: 404 })).toMatchObject({ kind: 0, status: { code: 0 } })
  expect(made({ spanKind: 'producer', spanStatus: 'ok' })).toMatchObject({ kind: 3, status: { code: 1 } })
  expect(made({ traceId: TRACE_ID.slice(16) })?.spanContext().traceId).toBe(`${'0'.repeat(16)}${TRACE_ID.slice(16)}`)
  expect(made({ endTime: 1 })?.duration).toEqual([0, 0])
})

test('what has no ids, or no start, is no span', () => {
  for (const bad of [{ traceId: 'x' }, { traceId: '0'.repeat(32) }, { spanId: '' }, { startTime: undefined }]) {
    expect(made(bad)).toBeUndefined()
  }
  expect(made({ parentSpanId: '' })).not.toHaveProperty('parentSpanContext')
})

test('where both sides tell of a call under one id, the called is the child of the caller', () => {
  const [client, server] = [true, false].map((clientSpan) => made({ clientSpan, rewriteClientSpanId: true }))
  expect(server?.spanContext().spanId).toBe('b7ad6b7169203331')
  expect(client?.spanContext().spanId).toBe(server?.parentSpanContext?.spanId)
  expect(client?.parentSpanContext?.spanId).toBe('00f067aa0ba902b7')
})

test('a trace is sampled whole, and so many of them', () => {
  expect([isSampled(TRACE_ID, 1), isSampled(TRACE_ID, 0)]).toEqual([true, false])
  let sampled = 0
  for (let i = 0; i < 4096; i++)
    sampled += isSampled(`${(i * 16).toString(16).padStart(4, '0')}000000000`, 0.25) ? 1 : 0
  expect(sampled).toBe(1024)
})

test('Zipkin is told, and what it refuses is dropped and counted', async () => {
  const bodies: unknown[] = []
  let status = 202
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    bodies.push(JSON.parse(text))
    response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closings.push(() => {
    server.closeAllConnections()
    server.close()
  })
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2/spans`
  const environment = { key: 'h.handler.a', clock, log: silentLogger, metrics, objects: () => [] }
  const handler = zipkin.open({ url, maxBatchSize: 2 }, environment)
  const value = (name: string) => metrics.counter(`zipkin_spans_${name}_total`).value
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise((resolve) => setImmediate(resolve))
  }
  handler.report?.([span(VALUES), span({ ...VALUES, clientSpan: false })])
  await until(() => value('sent') === 2)
  expect(bodies).toMatchObject([
    [
      {
        traceId: TRACE_ID,
        id: 'b7ad6b7169203331',
        parentId: '00f067aa0ba902b7',
        name: '/reviews',
        kind: 'CLIENT',
        duration: 2000,
        localEndpoint: { serviceName: 'productpage' },
        tags: { a: 'b', n: '1', 'otel.status_code': 'ERROR' },
      },
      { kind: 'SERVER', localEndpoint: { serviceName: 'reviews' } },
    ],
  ])
  status = 500
  handler.report?.([span(VALUES), span({})])
  await until(() => value('dropped') === 2)
  expect([value('invalid'), value('batches_failed')]).toEqual([1, 1])
  status = 202
  handler.report?.([span(VALUES)])
  await handler.close()
  expect(value('sent')).toBe(3)
})
