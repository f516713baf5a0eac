import { expect, test } from '@jest/globals'
import { generationOf } from '../testing/mesh.ts'
import type { MeshOptions } from './options.ts'
import { workloadTelemetry } from './telemetry.ts'

const telemetry = (name: string, spec: object, namespace = 'default') =>
  `---\n${JSON.stringify({ apiVersion: 'telemetry.istio.io/v1', kind: 'Telemetry', metadata: { name, namespace }, spec })}\n`

const OPTIONS: Partial<MeshOptions> = {
  extensionProviders: [
    { name: 'file', envoyFileAccessLog: { path: '/dev/null' } },
    { name: 'als', envoyHttpAls: { service: 'mixer.istio-system.svc.cluster.local', port: 9091 } },
    { name: 'zipkin', zipkin: { service: 'zipkin.istio-system.svc.cluster.local', port: 9411 } },
    { name: 'otel', opentelemetry: { service: 'otel.istio-system.svc.cluster.local', port: 4317 } },
  ],
}
const of = (yaml: string, more: Partial<MeshOptions> = {}, labels = { app: 'a' }) =>
  workloadTelemetry('default', labels, generationOf(yaml, { ...OPTIONS, ...more }))

const logs = ({ accessLogs }: ReturnType<typeof of>['server']) =>
  accessLogs.map(({ provider, filter }) => (filter === undefined ? provider.name : `${provider.name} if ${filter}`))

test('without any Telemetry: metrics, no logs, no spans', () => {
  const { server, client, objects } = of('')
  expect(server).toEqual({ accessLogs: [], metrics: { isOn: true, overrides: [] }, tracing: undefined })
  expect(client).toEqual(server)
  expect(objects).toEqual([])
})

test("the mesh's file, then its default providers, then what a Telemetry says", () => {
  expect(of('', { accessLogFile: '/dev/stdout' }).server.accessLogs[0]?.provider.envoyFileAccessLog).toMatchObject({
    path: '/dev/stdout',
    logFormat: { text: expect.stringContaining('%START_TIME%') },
  })
  const defaults = { defaultProviders: { accessLogging: ['als'] } }
  expect(logs(of('', defaults).client)).toEqual(['als'])
  const off = telemetry('off', { accessLogging: [{ disabled: true }] }, 'istio-system')
  expect(logs(of(off, { accessLogFile: '/dev/stdout', ...defaults }).client)).toEqual([])
  const on = telemetry('on', { accessLogging: [{ providers: [{ name: 'file' }] }] })
  expect(logs(of(off + on, defaults).client)).toEqual(['file'])
})

test('who names no providers speaks of those of the level above', () => {
  const root = telemetry(
    'root',
    { accessLogging: [{ providers: [{ name: 'file' }, { name: 'als' }] }] },
    'istio-system',
  )
  const own = telemetry('own', {
    selector: { matchLabels: { app: 'a' } },
    accessLogging: [{ match: { mode: 'SERVER' }, filter: { expression: 'response.code >= 500' } }],
  })
  const { server, client } = of(root + own)
  expect(logs(server)).toEqual(['file if response.code >= 500', 'als if response.code >= 500'])
  expect(logs(client)).toEqual(['file', 'als'])
  expect(logs(of(root + own, {}, { app: 'b' }).server)).toEqual(['file', 'als'])
})

test('names of nobody, and of providers that do something else, are passed over', () => {
  const spec = { accessLogging: [{ providers: [{ name: 'zipkin' }, { name: 'nobody' }, { name: 'envoy' }] }] }
  expect(logs(of(telemetry('x', spec)).server)).toEqual(['envoy'])
})

test('overrides of metrics add up, later ones over earlier, each for its side', () => {
  const root = telemetry(
    'root',
    {
      metrics: [
        {
          overrides: [
            { match: { metric: 'REQUEST_COUNT' }, tagOverrides: { a: { value: '"1"' }, b: { value: '"2"' } } },
            { match: { metric: 'REQUEST_SIZE', mode: 'CLIENT' }, disabled: true },
            { tagOverrides: { c: { operation: 'REMOVE' } } },
          ],
        },
      ],
    },
    'istio-system',
  )
  const own = telemetry('own', {
    metrics: [
      {
        reportingInterval: '10s',
        overrides: [{ match: { metric: 'REQUEST_COUNT' }, disabled: true, tagOverrides: { a: { value: '"3"' } } }],
      },
    ],
  })
  const { server, client } = of(root + own)
  const common = [
    { metric: 'ALL_METRICS', disabled: false, tags: { c: undefined } },
    { metric: 'REQUEST_COUNT', disabled: true, tags: { a: '"3"', b: '"2"' } },
  ]
  expect(server.metrics).toEqual({ isOn: true, reportingInterval: '10s', overrides: common })
  expect(client.metrics.overrides).toEqual([...common, { metric: 'REQUEST_SIZE', disabled: true, tags: {} }])
  expect(of('', { defaultProviders: { metrics: [] } }).server.metrics.isOn).toBe(false)
})

test('tracing is said field by field, the nearest last', () => {
  const defaults = { defaultProviders: { tracing: ['zipkin'] }, tracing: { sampling: 5 } }
  expect(of('', defaults).server.tracing).toMatchObject({ provider: { name: 'zipkin' }, samplingPercent: 5 })
  expect(of('', { ...defaults, tracing: {} }).server.tracing?.samplingPercent).toBe(1)
  expect(of('', { ...defaults, enableTracing: false }).server.tracing).toBeUndefined()
  const root = telemetry('root', { tracing: [{ randomSamplingPercentage: 10 }] }, 'istio-system')
  const whole = telemetry('whole', { tracing: [{ providers: [{ name: 'otel' }] }] })
  const own = telemetry('own', {
    selector: { matchLabels: { app: 'a' } },
    tracing: [
      { match: { mode: 'CLIENT' }, disableSpanReporting: true, customTags: { a: { literal: { value: 'b' } } } },
    ],
  })
  const { server, client } = of(root + whole + own, defaults)
  expect(server.tracing).toMatchObject({ provider: { name: 'otel' }, samplingPercent: 10, customTags: {} })
  expect(client.tracing).toMatchObject({ provider: undefined, samplingPercent: 10, customTags: { a: {} } })
})

test('of several of a level the oldest counts', () => {
  const one = (name: string, percent: number) =>
    telemetry(name, { tracing: [{ providers: [{ name: 'otel' }], randomSamplingPercentage: percent }] })
  expect(of(one('b', 1) + one('a', 2)).server.tracing?.samplingPercent).toBe(1)
})
