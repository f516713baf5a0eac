import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fromBinary } from '@bufbuild/protobuf'
import { afterEach, expect, test } from '@jest/globals'
import { ExportTraceServiceRequestSchema } from '../../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js'
import { Span_SpanKind, Status_StatusCode } from '../../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { hex, SpanCollector, tagsOf } from '../../support/span-collector.ts'
import { cluster } from '../../support/static-resources.ts'
import { TracedApp, TracedSidecar } from '../../support/traced-sidecar.ts'

/** Spans by OTLP: a chain of two proxies, ours and real Envoy, and what happens while the collector is away. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CALLER = 'b7ad6b7169203331'
const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}

let stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops) await stop()
  stops = []
})

function tracing(service: object, fields: object = {}): object {
  return {
    ...fields,
    provider: {
      name: 'envoy.tracers.opentelemetry',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
        service_name: 'service',
        ...service,
      },
    },
  }
}

const BY_GRPC = { grpc_service: { envoy_grpc: { cluster_name: 'otel' }, timeout: '1s' } }

async function chain(
  collectorPort: number,
  config: object,
  kinds: readonly (string | undefined)[],
  options: object = HTTP2,
) {
  const apps = [new TracedApp(), new TracedApp()] as const
  const [frontPort, backPort] = await Promise.all(apps.map((app) => app.listen()))
  const common = { tracing: config, clusters: [cluster('otel', [collectorPort], options)] }
  const last = await TracedSidecar.start({ name: 'back', appPort: backPort as number, ...common }, kinds[1])
  const front = { name: 'front', appPort: frontPort as number, nextPort: last.inPort, ...common }
  const first = await TracedSidecar.start(front, kinds[0])
  apps[0].nextPort = first.outPort
  stops.push(
    () => apps[0].close(),
    () => apps[1].close(),
    () => first.stop(),
    () => last.stop(),
  )
  return { apps, port: first.inPort, first, last }
}

const KINDS = [
  ['ours', 'ours'],
  ['ours', 'envoy'],
  ['envoy', 'ours'],
] as const

withEnvoy.each(KINDS)(
  'one trace by way of %s and %s, by traceparent',
  async (front, back) => {
    const collector = new SpanCollector()
    const collectorPort = await collector.listen()
    stops.push(() => collector.close())
    const of = (kind: string) => (kind === 'envoy' ? envoy : undefined)
    const { apps, port } = await chain(collectorPort, tracing(BY_GRPC), [of(front), of(back)])
    const headers = { traceparent: `00-${TRACE}-${CALLER}-01`, tracestate: 'vendor=1' }
    expect((await fetch(`http://127.0.0.1:${port}/x`, { headers })).status).toBe(200)
    await eventually(() => expect(collector.spans).toHaveLength(3), 20_000)
    const ordered = []
    let parent = CALLER
    for (let i = 0; i < 3; i++) {
      const span = collector.spans.find(({ parentSpanId }) => hex(parentSpanId) === parent)
      ordered.push(`${span?.kind} ${span?.name}`)
      expect(hex(span?.traceId ?? new Uint8Array())).toBe(TRACE)
      parent = hex(span?.spanId ?? new Uint8Array())
    }
    const { SERVER, CLIENT } = Span_SpanKind
    expect(ordered).toEqual([`${SERVER} front:80/*`, `${CLIENT} next.test:80/*`, `${SERVER} next.test:80/*`])
    expect(apps[1].headers).toMatchObject({ traceparent: `00-${TRACE}-${parent}-01`, tracestate: 'vendor=1' })
    expect(collector.resource['service.name']).toBe('service')
    for (const { startTimeUnixNano, endTimeUnixNano } of collector.spans) {
      expect(endTimeUnixNano).toBeGreaterThan(startTimeUnixNano)
    }
  },
  60_000,
)

test('a call that is not kept has its context passed on all the same, and no span is told', async () => {
  const collector = new SpanCollector()
  const collectorPort = await collector.listen()
  stops.push(() => collector.close())
  const { apps, port, first } = await chain(collectorPort, tracing(BY_GRPC, { random_sampling: { value: 0 } }), [])
  await fetch(`http://127.0.0.1:${port}/x`)
  const [, traceId, spanId, flags] = String(apps[1].headers.traceparent).split('-')
  expect(traceId).toMatch(/^[0-9a-f]{32}$/)
  expect(flags).toBe('00')
  expect(String(apps[0].headers.traceparent).split('-').slice(1, 2)).toEqual([traceId])
  expect(String(apps[0].headers.traceparent)).not.toContain(spanId)
  const asked = await fetch(`http://127.0.0.1:${port}/x`, { headers: { 'x-client-trace-id': '1' } })
  expect(asked.status).toBe(200)
  await eventually(() => expect(collector.spans.length).toBeGreaterThanOrEqual(1))
  await eventually(() => expect(metric(first, 'tracing.opentelemetry.spans_sent')).toBeGreaterThanOrEqual(1))
  expect(new Set(collector.spans.map((span) => hex(span.traceId))).has(String(traceId))).toBe(false)
}, 30_000)

test('spans outlast a collector that is away: what it could not take comes when it is back', async () => {
  const collectorPort = await freePort()
  const { port, first } = await chain(collectorPort, tracing(BY_GRPC), [])
  await fetch(`http://127.0.0.1:${port}/x`)
  await eventually(() => expect(metric(first, 'tracing.opentelemetry.reports_failed')).toBeGreaterThanOrEqual(1))
  const collector = new SpanCollector()
  collector.refusals = 1
  await collector.listen(collectorPort)
  stops.push(() => collector.close())
  await eventually(() => expect(collector.spans).toHaveLength(3), 20_000)
  expect(collector.refused).toBe(1)
  await eventually(() => expect(metric(first, 'tracing.opentelemetry.spans_sent')).toBe(2))
  expect(metric(first, 'tracing.opentelemetry.spans_dropped')).toBe(0)
}, 40_000)

test('by HTTP, with a span of what is sent on and an answer that failed', async () => {
  const bodies: Buffer[] = []
  const seen: unknown[] = []
  const server: Server = createServer((request, answer) => {
    seen.push(`${request.method} ${request.url} ${request.headers['content-type']} ${request.headers['x-key']}`)
    request.on('data', (chunk: Buffer) => bodies.push(chunk)).on('end', () => answer.end())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  stops.push(() => server.close())
  const http_service = {
    http_uri: { uri: 'http://otel.test/v1/traces', cluster: 'otel', timeout: '1s' },
    request_headers_to_add: [{ header: { key: 'X-Key', value: 'k' } }],
  }
  const detector = 'envoy.extensions.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig'
  const resource_detectors = [
    { name: 'd', typed_config: { '@type': `type.googleapis.com/${detector}`, attributes: { zone: 'z' } } },
  ]
  const config = tracing({ http_service, resource_detectors }, { spawn_upstream_span: true })
  const { apps, port } = await chain((server.address() as AddressInfo).port, config, [], {})
  apps[0].nextPort = await freePort()
  expect((await fetch(`http://127.0.0.1:${port}/plain`)).status).toBe(500)
  await eventually(() => expect(bodies).toHaveLength(1))
  expect(seen).toEqual(['POST /v1/traces application/x-protobuf k'])
  const [report] = fromBinary(ExportTraceServiceRequestSchema, bodies[0] as Buffer).resourceSpans
  expect(tagsOf(report?.resource?.attributes ?? [])).toEqual({ 'service.name': 'service', zone: 'z' })
  const spans = report?.scopeSpans[0]?.spans ?? []
  expect(spans.map(({ name, kind, status }) => [name, kind, status?.code])).toEqual([
    ['ingress', Span_SpanKind.SERVER, Status_StatusCode.ERROR],
    ['router app egress', Span_SpanKind.CLIENT, Status_StatusCode.ERROR],
  ])
  expect(hex(spans[1]?.parentSpanId ?? new Uint8Array())).toBe(hex(spans[0]?.spanId ?? new Uint8Array()))
  expect(apps[0].headers.traceparent).toContain(hex(spans[1]?.spanId ?? new Uint8Array()))
})

test('who does not pass contexts on is counted, and who does is not', async () => {
  const { apps, port, first } = await chain(await freePort(), tracing(BY_GRPC), [])
  const breaks = () => metric(first, 'lateen_trace_chain_breaks_total')
  for (let i = 0; i < 3; i++) await fetch(`http://127.0.0.1:${port}/x`)
  expect(breaks()).toBe(0)
  apps[0].passesOn = ['x-request-id']
  await fetch(`http://127.0.0.1:${port}/x`)
  expect(breaks()).toBe(0)
  apps[0].passesOn = []
  for (let i = 0; i < 3; i++) await fetch(`http://127.0.0.1:${port}/x`)
  expect(breaks()).toBe(3)
  // Of its own accord, while nobody calls it.
  await fetch(`http://127.0.0.1:${first.outPort}/x`)
  expect(breaks()).toBe(3)
})

function metric({ agent }: TracedSidecar, name: string): number {
  let sum = 0
  for (const one of agent?.planes.metrics.all() ?? []) if (one.name === name) sum += one.value
  return sum
}
