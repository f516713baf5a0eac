import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { RateLimitResponse_Code as Code } from '../../../api/gen/envoy/service/ratelimit/v3/rls_pb.js'
import { HealthCheckResponse_ServingStatus as Serving } from '../../../api/gen/grpc/health/v1/health_pb.js'
import { MixerHttpServer } from '../../../mixer/services/http.ts'
import { eventually } from '../../support/eventually.ts'
import { MixerClient } from '../../support/mixer-client.ts'
import { DENY_RULE, rateLimitRule } from '../../support/mixer-config.ts'
import { MixerProcess } from '../../support/mixer-process.ts'

/** The mixer's services and pages, without proxies. */

const METRICS = `
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: requestcount, namespace: istio-system}
spec:
  compiledTemplate: metric
  params:
    value: "1"
    dimensions:
      reporter: conditional((context.reporter.kind | "inbound") == "outbound", "source", "destination")
      source_workload: source.workload.name | "unknown"
      destination_service: destination.service.host | "unknown"
      response_code: response.code | 200
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: bytes, namespace: istio-system}
spec:
  compiledTemplate: metric
  params: {value: connection.received.bytes | 0, dimensions: {event: connection.event}}
---
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: prometheus, namespace: istio-system}
spec:
  compiledAdapter: prometheus
  params:
    metrics:
    - name: requests_total
      instance_name: requestcount.instance.istio-system
      kind: COUNTER
      label_names: [reporter, source_workload, destination_service, response_code]
    - {name: tcp_received_bytes_total, instance_name: bytes.instance.istio-system, kind: COUNTER, label_names: [event]}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: promhttp, namespace: istio-system}
spec:
  match: context.protocol == "http" && (match((request.useragent | "-"), "kube-probe*") == false)
  actions: [{handler: prometheus, instances: [requestcount]}]
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: promtcp, namespace: istio-system}
spec:
  match: context.protocol == "tcp"
  actions: [{handler: prometheus, instances: [bytes]}]
`

const mixer = new MixerProcess({ 'deny.yaml': DENY_RULE, 'limit.yaml': rateLimitRule(), 'metrics.yaml': METRICS })
const http = new MixerHttpServer(mixer.mixer)
let client: MixerClient
let pages = ''

beforeAll(async () => {
  client = new MixerClient(await mixer.listen())
  pages = `http://127.0.0.1:${await http.listen('127.0.0.1:0')}`
})

afterAll(async () => {
  client.close()
  await mixer.close()
  await http.close()
})

const REVIEWS = {
  'destination.namespace': 'default',
  'destination.labels[app]': 'ratings',
  'source.labels[app]': 'reviews',
  'source.labels[version]': 'v3',
}

test('a check says how long it holds, and what it depends on', async () => {
  const denied = await client.check(REVIEWS)
  expect(denied.status).toMatchObject({ code: 7, message: 'denyreviewsv3handler.default:Not allowed' })
  expect(denied.httpResponse.value).toMatchObject({
    status: { code: 403 },
    body: 'PERMISSION_DENIED:denyreviewsv3handler.default:Not allowed',
  })
  expect(denied.dynamicMetadata).toEqual({
    'lateen.mesh/check': {
      validDurationMs: 5000,
      validUseCount: 1000,
      present: [
        'context.reporter.kind',
        'destination.labels[app]',
        'destination.namespace',
        'source.labels[app]',
        'source.labels[version]',
      ],
      absent: [],
    },
  })
  const allowed = await client.check({ ...REVIEWS, 'source.labels[version]': 'v2' })
  expect([allowed.status?.code, allowed.httpResponse.case]).toEqual([0, 'okResponse'])
  // A rule of another namespace does not hold.
  expect((await client.check({ ...REVIEWS, 'destination.namespace': 'other' })).status?.code).toBe(0)
})

test('what nothing is bound to is not limited', async () => {
  for (let i = 0; i < 5; i++) {
    const { overallCode } = await client.limit({ 'destination.service.host': 'reviews.default.svc.cluster.local' })
    expect(overallCode).toBe(Code.OK)
  }
})

const entry = (userAgent: string, code: number) => ({
  commonProperties: { upstreamCluster: 'outbound|9080|v1|reviews.default.svc.cluster.local' },
  request: { userAgent },
  response: { responseCode: code },
})

test('reports become series that can be scraped', async () => {
  const node = {
    id: 'sidecar~10.0.0.1~productpage-1.default~default.svc.cluster.local',
    metadata: { WORKLOAD_NAME: 'productpage-v1' },
  }
  const tcp = (accessLogType: number, receivedBytes: bigint) => ({
    commonProperties: { accessLogType, streamId: 'c1' },
    connectionProperties: { receivedBytes },
  })
  await client.report([
    {
      identifier: { node, logName: 'mixer' },
      logEntries: {
        case: 'httpLogs',
        value: { logEntry: [entry('curl', 200), entry('curl', 200), entry('curl', 503)] },
      },
    },
    { logEntries: { case: 'httpLogs', value: { logEntry: [entry('kube-probe/1.2', 200)] } } },
    { logEntries: { case: 'tcpLogs', value: { logEntry: [tcp(1, 0n), tcp(2, 10n), tcp(2, 25n), tcp(3, 30n)] } } },
  ])
  const text = await (await fetch(`${pages}/metrics`)).text()
  const labels =
    'reporter="source",source_workload="productpage-v1",destination_service="reviews.default.svc.cluster.local"'
  expect(text).toContain(`istio_requests_total{${labels},response_code="200"} 2\n`)
  expect(text).toContain(`istio_requests_total{${labels},response_code="503"} 1\n`)
  expect(text).toContain('istio_tcp_received_bytes_total{event="continue"} 25\n')
  expect(text).toContain('istio_tcp_received_bytes_total{event="close"} 5\n')
  expect(text).toContain('mixer_report_entries_total 8\n')
})

test('pages and health', async () => {
  expect(await (await fetch(`${pages}/healthz`)).text()).toBe('ok\n')
  expect((await fetch(`${pages}/constructor`)).status).toBe(404)
  const config = (await (await fetch(`${pages}/debug/config`)).json()) as { rules: { name: string }[]; findings: [] }
  expect(config.rules.map(({ name }) => name)).toEqual([
    'quota',
    'promhttp',
    'promtcp',
    'denyreviewsv3',
    'kubernetesenv',
  ])
  expect(config.findings).toEqual([])
  expect((await client.health()).status).toBe(Serving.SERVING)
  expect((await client.health('envoy.service.auth.v3.Authorization')).status).toBe(Serving.SERVING)
  await expect(client.health('nobody')).rejects.toThrow('NOT_FOUND')
})

test('a broken configuration keeps the last good one, and is a finding', async () => {
  const broken = DENY_RULE.replace('"v3"\n', '3\n')
  mixer.source.set('deny.yaml', broken)
  const [finding, ...others] = mixer.mixer.findings()
  expect(others).toEqual([])
  expect(finding).toMatchObject({
    code: 'LTN0401',
    object: { kind: 'rule', namespace: 'default', name: 'denyreviewsv3' },
    file: 'deny.yaml',
    line: broken.split('\n').findIndex((line) => line.includes('match:')) + 1,
  })
  expect(finding?.message).toContain('spec.match: at character 103: the sides of == must be of one type')
  expect((await client.check(REVIEWS)).status?.code).toBe(7)
  mixer.source.set('deny.yaml', 'a: [')
  expect((await client.check(REVIEWS)).status?.code).toBe(7)
  // What is taken away is over.
  mixer.source.set('deny.yaml', '')
  expect((await client.check(REVIEWS)).status?.code).toBe(0)
  mixer.source.set('deny.yaml', DENY_RULE)
  await eventually(async () => expect((await client.check(REVIEWS)).status?.code).toBe(7))
})

test('a handler that did not change goes on counting', async () => {
  const entries = {
    'destination.service.host': 'productpage.default.svc.cluster.local',
    'destination.labels[app]': 'productpage',
  }
  const take = async () => (await client.limit(entries)).overallCode
  expect([await take(), await take(), await take()]).toEqual([Code.OK, Code.OK, Code.OVER_LIMIT])
  mixer.source.set('more.yaml', DENY_RULE.replaceAll('denyreviewsv3', 'another'))
  expect(await take()).toBe(Code.OVER_LIMIT)
})

test('when it stops, it ends the streams of logs, and takes nothing new', async () => {
  const other = new MixerProcess({ 'deny.yaml': DENY_RULE })
  const asker = new MixerClient(await other.listen())
  expect((await asker.health()).status).toBe(Serving.SERVING)
  const open = asker.report([{ logEntries: { case: 'httpLogs', value: { logEntry: [entry('curl', 200)] } } }], false)
  await eventually(() => expect(other.mixer.stats.reportEntries.value).toBe(1))
  await other.server.close()
  // As after a stream that its client has ended.
  await open
  await expect(asker.check(REVIEWS)).rejects.toThrow('UNAVAILABLE')
  asker.close()
})
