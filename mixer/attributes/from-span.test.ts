import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { ResourceSchema } from '../../api/gen/opentelemetry/proto/resource/v1/resource_pb.js'
import {
  Span_SpanKind as Kind,
  SpanSchema,
  Status_StatusCode as Status,
} from '../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import { isSpan, resourceTags, spanBag } from './from-span.ts'
import type { Value } from './value.ts'
import { VOCABULARY } from './vocabulary.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SPAN_ID = 'b7ad6b7169203331'
const tag = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue' as const, value } } })
const number = (key: string, value: number) => ({
  key,
  value: { value: { case: 'intValue' as const, value: BigInt(value) } },
})
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))

function span(more: MessageInitShape<typeof SpanSchema> = {}) {
  return create(SpanSchema, {
    traceId: bytes(TRACE_ID),
    spanId: bytes(SPAN_ID),
    name: 'a span',
    startTimeUnixNano: 1_700_000_000_123_456_000n,
    endTimeUnixNano: 1_700_000_000_125_956_000n,
    ...more,
  })
}

function attributes(more: MessageInitShape<typeof SpanSchema>, resource: readonly ReturnType<typeof tag>[] = []) {
  const bag = spanBag(span(more), resourceTags(create(ResourceSchema, { attributes: [...resource] })), VOCABULARY)
  const found: Record<string, Value> = {}
  for (const name of VOCABULARY.keys()) {
    const value = bag.get(name)
    if (value !== undefined) found[name] = typeof value === 'object' ? { ...value } : value
  }
  return found
}

test("a span of Envoy's tracer at the caller's side", () => {
  const found = attributes(
    {
      kind: Kind.CLIENT,
      parentSpanId: bytes('00f067aa0ba902b7'),
      status: { code: Status.ERROR },
      attributes: [
        tag('http.method', 'GET'),
        tag('http.url', 'http://reviews:9080/reviews/0?a=b'),
        tag('http.status_code', '503'),
        tag('user_agent', 'curl'),
        tag('guid:x-request-id', 'r1'),
        tag('node_id', 'sidecar~10.0.0.1~productpage-1.default~default.svc.cluster.local'),
        tag('upstream_cluster', 'outbound|9080|v1|reviews.default.svc.cluster.local'),
        tag('response_flags', 'UF'),
        tag('request_size', '0'),
        tag('response_size', '91'),
        tag('peer.address', '10.0.0.9'),
        tag('source.labels[app]', 'productpage'),
      ],
    },
    [tag('service.name', 'productpage.default')],
  )
  expect(found).toMatchObject({
    'span.trace_id': TRACE_ID,
    'span.id': SPAN_ID,
    'span.parent_id': '00f067aa0ba902b7',
    'span.name': 'a span',
    'span.kind': 'client',
    'span.status': 'error',
    'span.service': 'productpage.default',
    'span.resource': { 'service.name': 'productpage.default' },
    'source.name': 'productpage-1',
    'source.namespace': 'default',
    'source.uid': 'kubernetes://productpage-1.default',
    'source.labels': { app: 'productpage' },
    'destination.service.host': 'reviews.default.svc.cluster.local',
    'destination.service.name': 'reviews',
    'destination.service.namespace': 'default',
    'request.method': 'GET',
    'request.host': 'reviews:9080',
    'request.path': '/reviews/0?a=b',
    'request.url_path': '/reviews/0',
    'request.query_params': { a: 'b' },
    'request.useragent': 'curl',
    'request.id': 'r1',
    'request.headers': {
      'x-b3-traceid': TRACE_ID,
      'x-b3-spanid': SPAN_ID,
      'x-b3-parentspanid': '00f067aa0ba902b7',
      'x-request-id': 'r1',
    },
    'request.size': 0,
    'request.time': 1_700_000_000_123.456,
    'response.code': 503,
    'response.size': 91,
    'response.duration': 2.5,
    'context.protocol': 'http',
    'context.proxy_error_code': 'UF',
    'context.reporter.kind': 'outbound',
  })
  // What Envoy calls the peer is the caller's own application.
  expect(found).not.toHaveProperty(['source.ip'])
  expect(found).not.toHaveProperty(['destination.name'])
})

test("a span of OpenTelemetry's conventions at the called's side", () => {
  const found = attributes(
    {
      kind: Kind.SERVER,
      attributes: [
        tag('http.request.method', 'POST'),
        tag('url.path', '/a'),
        tag('url.query', 'b=c'),
        tag('url.scheme', 'https'),
        tag('server.address', 'shop.example'),
        number('server.port', 443),
        number('http.response.status_code', 201),
        tag('user_agent.original', 'firefox'),
        tag('client.address', '::ffff:10.1.2.3'),
      ],
    },
    [tag('k8s.pod.name', 'shop-1'), tag('k8s.namespace.name', 'sales'), tag('k8s.deployment.name', 'shop')],
  )
  expect(found).toMatchObject({
    'span.kind': 'server',
    'span.status': 'unset',
    'destination.name': 'shop-1',
    'destination.namespace': 'sales',
    'destination.workload.name': 'shop',
    'destination.port': 443,
    'source.ip': '10.1.2.3',
    'request.method': 'POST',
    'request.path': '/a?b=c',
    'request.scheme': 'https',
    'request.host': 'shop.example',
    'request.useragent': 'firefox',
    'response.code': 201,
    'context.reporter.kind': 'inbound',
  })
  expect(found).not.toHaveProperty(['source.name'])
  expect(found).not.toHaveProperty(['span.parent_id'])
})

test('tags of every type are text, and no tag can give a span another id', () => {
  const found = attributes({
    attributes: [
      tag('span.id', 'ffffffffffffffff'),
      { key: 'list', value: { value: { case: 'arrayValue', value: { values: [tag('', 'a').value] } } } },
      { key: 'yes', value: { value: { case: 'boolValue', value: true } } },
      { key: 'none' },
      tag('rpc.system', 'grpc'),
    ],
  })
  expect(found['span.id']).toBe(SPAN_ID)
  expect(found['span.tags']).toEqual({
    'span.id': 'ffffffffffffffff',
    list: '["a"]',
    yes: 'true',
    none: '',
    'rpc.system': 'grpc',
  })
  expect(found['api.protocol']).toBe('grpc')
})

test('a span without proper ids is none', () => {
  expect(isSpan(span())).toBe(true)
  expect(isSpan(span({ traceId: bytes('0af7') }))).toBe(false)
  expect(isSpan(span({ spanId: new Uint8Array(8) }))).toBe(false)
})
