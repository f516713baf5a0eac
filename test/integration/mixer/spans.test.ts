import { spawn } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type Client, credentials, makeClientConstructor, type ServiceError } from '@grpc/grpc-js'
import { afterEach, beforeAll, expect, test } from '@jest/globals'
import {
  ExportTraceServiceRequestSchema,
  type ExportTraceServiceResponse,
  TraceService,
} from '../../../api/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.js'
import { Span_SpanKind as Kind, type SpanSchema } from '../../../api/gen/opentelemetry/proto/trace/v1/trace_pb.js'
import { serviceDefinition } from '../../../api/grpc.ts'
import { findPeer, peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { MixerProcess } from '../../support/mixer-process.ts'

/** Spans come in as OpenTelemetry's, pass the rules, and go out to where handlers send them. */

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const closings: (() => void | Promise<void>)[] = []

afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close()
})

const TraceClient = makeClientConstructor(serviceDefinition(TraceService), 'TraceService')
type Export = (
  request: unknown,
  done: (error: ServiceError | null, response: ExportTraceServiceResponse) => void,
) => void

async function tell(port: number, spans: MessageInitShape<typeof SpanSchema>[]): Promise<ExportTraceServiceResponse> {
  const client = new TraceClient(`127.0.0.1:${port}`, credentials.createInsecure()) as unknown as Client & {
    export: Export
  }
  const attributes = [{ key: 'service.name', value: { value: { case: 'stringValue' as const, value: 'reviews' } } }]
  const request = create(ExportTraceServiceRequestSchema, {
    resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }],
  })
  try {
    return await new Promise((resolve, reject) => {
      client.export(request, (error, response) => (error === null ? resolve(response) : reject(error)))
    })
  } finally {
    client.close()
  }
}

function span(spanId: string, path: string, kind = Kind.SERVER): MessageInitShape<typeof SpanSchema> {
  const tag = (key: string, value: string) => ({ key, value: { value: { case: 'stringValue' as const, value } } })
  const startTimeUnixNano = BigInt(Date.now()) * 1_000_000n
  return {
    traceId: Buffer.from(TRACE_ID, 'hex'),
    spanId: Buffer.from(spanId, 'hex'),
    name: `get ${path}`,
    kind,
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 2_500_000n,
    attributes: [tag('http.method', 'GET'), tag('http.url', `http://reviews:9080${path}`), tag('version', 'v2')],
  }
}

function rules(adapter: string, params: object, match = ''): string {
  const object = (kind: string, name: string, spec: object) => ({
    apiVersion: 'config.istio.io/v1alpha2',
    kind,
    metadata: { name, namespace: 'istio-system' },
    spec,
  })
  const instance = {
    compiledTemplate: 'tracespan',
    params: {
      traceId: 'span.trace_id',
      spanId: 'span.id',
      parentSpanId: 'span.parent_id | ""',
      spanName: 'span.name',
      spanKind: 'span.kind',
      spanStatus: 'span.status',
      startTime: 'request.time',
      endTime: 'response.time',
      sourceName: 'span.service | "unknown"',
      destinationName: 'span.service | "unknown"',
      spanTags: 'span.tags',
    },
  }
  const metric = { compiledTemplate: 'metric', params: { value: '1', dimensions: {} } }
  return [
    object('handler', 'spans', { compiledAdapter: adapter, params: { flushDuration: '10ms', ...params } }),
    object('instance', 'span', instance),
    object('rule', 'spans', { match, actions: [{ handler: 'spans', instances: ['span'] }] }),
    object('handler', 'prometheus', {
      compiledAdapter: 'prometheus',
      params: { metrics: [{ name: 'calls', instance_name: 'calls.instance.istio-system', kind: 'COUNTER' }] },
    }),
    object('instance', 'calls', metric),
    object('rule', 'calls', { actions: [{ handler: 'prometheus', instances: ['calls'] }] }),
  ]
    .map((one) => JSON.stringify(one))
    .join('\n---\n')
}

async function mixerOf(config: string): Promise<MixerProcess> {
  const mixer = new MixerProcess({ 'spans.yaml': config })
  closings.push(() => mixer.close())
  await mixer.listen()
  expect(mixer.mixer.findings()).toEqual([])
  return mixer
}

/** Something that takes Zipkin's JSON. */
async function zipkinLike(): Promise<{ url: string; spans: Record<string, unknown>[] }> {
  const spans: Record<string, unknown>[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    spans.push(...JSON.parse(text))
    response.writeHead(202).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closings.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v2/spans`, spans }
}

// Compiling them for tests takes longer than a collector is waited for, on a busy machine.
beforeAll(async () => {
  await Promise.all([
    import('@opentelemetry/exporter-trace-otlp-grpc'),
    import('@opentelemetry/exporter-zipkin'),
    import('@grpc/grpc-js'),
  ])
}, 150_000)

test('spans go by rules to a collector of OpenTelemetry, which is another mixer, and from there to Zipkin', async () => {
  const zipkin = await zipkinLike()
  const second = await mixerOf(rules('zipkin', { url: zipkin.url }))
  const first = await mixerOf(
    rules('opentelemetry', { url: `http://127.0.0.1:${second.port}` }, 'request.url_path != "/healthz"'),
  )
  const { partialSuccess } = await tell(first.port, [
    span('b7ad6b7169203331', '/reviews/0'),
    span('b7ad6b7169203332', '/reviews/1', Kind.CLIENT),
    span('b7ad6b7169203333', '/healthz'),
    { ...span('b7ad6b7169203334', '/'), traceId: new Uint8Array(16) },
  ])
  expect(partialSuccess?.rejectedSpans).toBe(1n)
  await eventually(() => expect(zipkin.spans).toHaveLength(2), 60_000)
  expect(zipkin.spans).toMatchObject([
    {
      traceId: TRACE_ID,
      id: 'b7ad6b7169203331',
      name: 'get /reviews/0',
      kind: 'SERVER',
      duration: 2500,
      localEndpoint: { serviceName: 'reviews' },
      tags: { 'http.method': 'GET', version: 'v2' },
    },
    { id: 'b7ad6b7169203332', kind: 'CLIENT' },
  ])
  const { stats, metrics, handlers } = first.mixer
  expect([stats.spans.value, stats.spansRejected.value, stats.reportEntries.value]).toEqual([3, 1, 0])
  expect(metrics.counter('opentelemetry_spans_sent_total').value).toBe(2)
  // What counts calls does not count their spans.
  const exposed = await Promise.all(handlers.map((handler) => handler.exposition?.() ?? ''))
  expect(exposed.join('')).not.toContain('istio_calls 1')
}, 150_000)

test('a collector that is away costs its spans, and is told again when it is back', async () => {
  const zipkin = await zipkinLike()
  const port = await freePort()
  const mixer = await mixerOf(rules('zipkin', { url: `http://127.0.0.1:${port}/api/v2/spans` }))
  await tell(mixer.port, [span('b7ad6b7169203331', '/')])
  const dropped = mixer.mixer.metrics.counter('zipkin_spans_dropped_total')
  await eventually(() => expect(dropped.value).toBe(1), 60_000)
  mixer.source.set('spans.yaml', rules('zipkin', { url: zipkin.url }))
  await tell(mixer.port, [span('b7ad6b7169203332', '/')])
  await eventually(() => expect(zipkin.spans).toMatchObject([{ id: 'b7ad6b7169203332' }]), 60_000)
}, 150_000)

const jar = peerOrSkip('zipkin.jar')
const java = findPeer('java')
const withZipkin = jar === undefined || java === undefined ? test.skip : test

withZipkin(
  'a real Zipkin finds the trace',
  async () => {
    const port = await freePort()
    const args = ['-Xmx256m', `-Dserver.port=${port}`, `-DQUERY_PORT=${port}`, '-jar', jar as string]
    const process = spawn(java as string, args, { stdio: 'ignore' })
    closings.push(() => void process.kill('SIGKILL'))
    const api = `http://127.0.0.1:${port}`
    const answers = async () => (await fetch(`${api}/health`).catch(() => undefined))?.ok === true
    await eventually(async () => expect(await answers()).toBe(true), 60_000)
    const mixer = await mixerOf(rules('zipkin', { url: `${api}/api/v2/spans` }))
    await tell(mixer.port, [span('b7ad6b7169203331', '/reviews/0')])
    await eventually(async () => {
      const found = await fetch(`${api}/api/v2/trace/${TRACE_ID}`)
      expect(found.status).toBe(200)
      expect(await found.json()).toMatchObject([{ id: 'b7ad6b7169203331', localEndpoint: { serviceName: 'reviews' } }])
    }, 20_000)
  },
  120_000,
)
