import { expect, test } from '@jest/globals'
import { prometheusText } from '../../../lib/metrics/exposition.ts'
import { plainEndpoint } from '../../plan/plain-endpoint.ts'
import { clusterPlan } from '../../plan/testing.ts'
import type { UpstreamTlsPlan } from '../../plan/tls-plan.ts'
import { workloadOfText } from '../../plan/workload.ts'
import { HeaderBlock } from '../../stream/header-block.ts'
import type { Cluster } from '../../upstream/cluster.ts'
import { Host } from '../../upstream/host.ts'
import { istioCallObserver } from './call-observer.ts'
import { ownFields, PEER_FIELD, PEER_ID_FIELD, readPeer } from './peer-metadata.ts'
import { meshTls, NODE, observing, recordOf, stats } from './testing.ts'

const CALLER = 'spiffe://cluster.local/ns/front/sa/productpage'
const OWN = 'spiffe://cluster.local/ns/default/sa/reviews'
const caller = ownFields({
  ...NODE,
  id: 'sidecar~10.0.0.2~productpage-1.front~front.svc.cluster.local',
  metadata: {
    NAMESPACE: 'front',
    WORKLOAD_NAME: 'productpage-v1',
    CLUSTER_ID: 'east',
    LABELS: { app: 'productpage', version: 'v1' },
  },
})
const peerLines = `X-Envoy-Peer-Metadata: ${caller.value}\r\nX-Envoy-Peer-Metadata-Id: ${caller.id}\r\n`
const services = {
  istio: { services: [{ host: 'reviews.default.svc.cluster.local', name: 'reviews', namespace: 'default' }] },
}
const cluster = (name = 'c', filterMetadata: object = services) => {
  const plan = clusterPlan({ name, metadata: { filterMetadata } })
  return { plan, tlsPlans: [{ alpnProtocols: ['istio-http/1.1', 'istio'] }] } as unknown as Cluster
}

function callOf(lines: string, tls = meshTls(CALLER, OWN)) {
  const record = recordOf(lines, tls)
  record.cluster = cluster()
  record.status = 200
  record.endMs = 12.5
  return record
}

test('what comes in has the labels of Istio: the caller by its metadata and certificate, the workload by its node', async () => {
  const { metrics, context } = observing()
  const observer = istioCallObserver('inbound', stats('inbound'), true).create(context)
  const record = callOf(peerLines)
  observer.onRequest?.(record)
  expect([record.head.has(PEER_FIELD), record.head.has(PEER_ID_FIELD)]).toEqual([false, false])
  const answer = new HeaderBlock()
  answer.append(PEER_FIELD, 'what the application says')
  observer.onResponse?.(record, answer)
  expect(answer.get(PEER_FIELD)).toBe(ownFields(NODE).value)
  expect(answer.get(PEER_ID_FIELD)).toBe(NODE.id)
  record.receivedBytes = 30
  record.sentBytes = 2000
  observer.onEnd?.(record)
  const [requests] = metrics.all().filter(({ name }) => name === 'istio_requests_total')
  expect(requests?.value).toBe(1)
  expect(requests?.labels).toEqual({
    reporter: 'destination',
    source_workload: 'productpage-v1',
    source_canonical_service: 'productpage',
    source_canonical_revision: 'v1',
    source_workload_namespace: 'front',
    source_principal: CALLER,
    source_app: 'productpage',
    source_version: 'v1',
    source_cluster: 'east',
    destination_workload: 'reviews-v2',
    destination_canonical_service: 'reviews',
    destination_canonical_revision: 'v2',
    destination_workload_namespace: 'default',
    destination_principal: OWN,
    destination_app: 'reviews',
    destination_version: 'v2',
    destination_cluster: 'Kubernetes',
    destination_service: 'reviews.default.svc.cluster.local',
    destination_service_name: 'reviews',
    destination_service_namespace: 'default',
    request_protocol: 'http',
    response_code: '200',
    grpc_response_status: '',
    response_flags: '-',
    connection_security_policy: 'mutual_tls',
  })
  const sums = Object.fromEntries(metrics.histograms().map(({ name, sum }) => [name, sum]))
  expect(sums).toEqual({
    istio_request_duration_milliseconds: 2.5,
    istio_request_bytes: 30,
    istio_response_bytes: 2000,
  })
  const text = await prometheusText(metrics, { namePrefix: 'envoy_', labelPrefix: 'envoy_', keepsPlainNames: true })
  expect(text).toContain('\nistio_requests_total{reporter="destination",source_workload="productpage-v1",')
  expect(text).toContain('\nlateen_metrics_series 4\n')
})

test('what a stranger says of itself is not believed, and goes no further', () => {
  const { metrics, context } = observing()
  const observer = istioCallObserver('inbound', stats('inbound', { disableHostHeaderFallback: true }), true).create(
    context,
  )
  const record = recordOf(peerLines)
  record.status = 200
  observer.onRequest?.(record)
  expect([record.head.has(PEER_FIELD), record.head.has(PEER_ID_FIELD), record.peer]).toEqual([false, false, undefined])
  const answer = new HeaderBlock()
  observer.onResponse?.(record, answer)
  expect(answer.has(PEER_FIELD)).toBe(false)
  observer.onEnd?.(record)
  const labels = metrics.all().find(({ name }) => name === 'istio_requests_total')?.labels
  expect(labels).toMatchObject({
    source_workload: 'unknown',
    source_principal: 'unknown',
    source_canonical_revision: 'unknown',
    destination_service: 'unknown',
    destination_service_namespace: 'default',
    connection_security_policy: 'none',
  })
})

test('nobody is in a namespace that its certificate is not of; what is malformed is as if it were not said', () => {
  const { context } = observing()
  const observer = istioCallObserver('inbound', stats('inbound'), true).create(context)
  const hear = (lines: string, uri: string) => {
    const record = recordOf(lines, meshTls(uri, OWN))
    observer.onRequest?.(record)
    return record.peer
  }
  expect(hear(peerLines, CALLER)?.name).toBe('productpage-v1')
  expect(hear(peerLines, 'spiffe://cluster.local/ns/other/sa/x')).toBeUndefined()
  for (const value of ['', 'AAAA', '!!!', `${'A'.repeat(9000)}`, Buffer.from([0xff, 0xff, 0xff]).toString('base64')]) {
    const heard = hear(`X-Envoy-Peer-Metadata: ${value}\r\nX-Envoy-Peer-Metadata-Id: i\r\n`, CALLER)
    expect(heard?.name ?? '').toBe('')
  }
  expect(readPeer('A'.repeat(8 * 1024 + 4))).toBeUndefined()
})

test('what leaves is told of by the endpoint, and by the answer where it comes from the mesh', () => {
  const { metrics, context } = observing()
  const observer = istioCallObserver('outbound', stats('outbound'), true).create(context)
  const call = (peerUri: string, fields: HeaderBlock) => {
    const record = recordOf('')
    record.cluster = cluster()
    record.host = new Host({
      ...plainEndpoint('10.0.0.9', 80),
      workload: workloadOfText('ratings-v1;default;ratings;v1;east'),
    })
    record.host.tls = { alpnProtocols: ['istio-http/1.1', 'istio'] } as unknown as UpstreamTlsPlan
    record.host.peerUri = peerUri
    record.isUpstreamAnswer = true
    observer.onRequest?.(record)
    observer.onForward?.(record)
    expect(record.head.get(PEER_FIELD)).toBe(ownFields(NODE).value)
    observer.onResponse?.(record, fields)
    expect(fields.has(PEER_FIELD)).toBe(false)
    record.status = 503
    record.decision.flag = 'UF'
    observer.onEnd?.(record)
  }
  const said = () => {
    const fields = new HeaderBlock()
    fields.append(PEER_FIELD, caller.value)
    fields.append(PEER_ID_FIELD, caller.id)
    return fields
  }
  call(CALLER, said())
  call('', said())
  call('', said())
  const found = metrics
    .all()
    .filter(({ name }) => name === 'istio_requests_total')
    .map(({ labels, value }) => [labels.destination_workload, labels.destination_app, labels.response_flags, value])
  expect(found).toEqual([
    ['productpage-v1', 'productpage', 'UF', 1],
    ['ratings-v1', 'unknown', 'UF', 2],
  ])
})

test('calls of gRPC have their status and their messages, however bytes are cut', () => {
  const { metrics, context } = observing()
  const observer = istioCallObserver('inbound', stats('inbound'), true).create(context)
  const record = callOf('Content-Type: application/grpc+proto\r\n')
  observer.onRequest?.(record)
  const messages = Buffer.concat(
    [3, 0, 300].map((n) => Buffer.concat([Buffer.from([0, 0, 0, n >> 8, n & 255]), Buffer.alloc(n, 7)])),
  )
  for (const byte of messages) record.receive(Buffer.from([byte]))
  record.send(messages.subarray(0, 12))
  record.send(messages.subarray(12))
  record.trailers = 'Grpc-Message: x\r\ngrpc-status: 14\r\n'
  observer.onResponse?.(record, new HeaderBlock())
  observer.onEnd?.(record)
  const values = Object.fromEntries(metrics.all().map(({ name, value }) => [name, value]))
  expect(values).toMatchObject({ istio_request_messages_total: 3, istio_response_messages_total: 3 })
  const requests = metrics.all().find(({ name }) => name === 'istio_requests_total')
  expect(requests?.labels).toMatchObject({ grpc_response_status: '14', request_protocol: 'grpc' })
})

test('clusters without a service are named as Istio names them', () => {
  const { metrics, context } = observing()
  const observer = istioCallObserver('outbound', stats('outbound'), false).create(context)
  for (const name of ['PassthroughCluster', 'other']) {
    const record = recordOf('')
    record.cluster = cluster(name, {})
    record.status = 200
    observer.onEnd?.(record)
  }
  const found = metrics.all().filter(({ name }) => name === 'istio_requests_total')
  expect(found.map(({ labels: l }) => [l.destination_service, l.destination_service_name])).toEqual([
    ['reviews:9080', 'PassthroughCluster'],
    ['reviews:9080', 'reviews:9080'],
  ])
})

test('beyond the budget calls are counted together, and hostile values make nothing grow', () => {
  const { metrics, context } = observing(400)
  const observer = istioCallObserver('outbound', stats('outbound'), false).create(context)
  for (let i = 0; i < 10_000; i++) {
    const record = recordOf('')
    record.head.authority = i % 10 === 0 ? `${i}${'\xff'.repeat(100_000)}` : `host-${i}\n"\\`
    record.status = 200
    observer.onEnd?.(record)
  }
  const all = [...metrics.all(), ...metrics.histograms()]
  expect(all.length).toBe(400 + 4 + 2)
  expect(metrics.all().find(({ name }) => name === 'lateen_metrics_series')?.value).toBe(400)
  expect(metrics.all().find(({ name }) => name === 'lateen_metrics_overflow_total')?.value).toBe(9_900)
  const requests = metrics.all().filter(({ name }) => name === 'istio_requests_total')
  expect(requests.reduce((sum, { value }) => sum + value, 0)).toBe(10_000)
  expect(requests.find(({ labels }) => labels.destination_service === 'overflow')?.value).toBe(9_900)
  expect(Math.max(...requests.flatMap(({ labels }) => Object.values(labels).map((value) => value.length)))).toBe(256)
})

test('an idle series goes when somebody has read it, and comes back from zero', () => {
  const { metrics, clock, context } = observing()
  const observer = istioCallObserver('inbound', stats('inbound'), false).create(context)
  const call = () => observer.onEnd?.(callOf(''))
  const count = () => metrics.all().find(({ name }) => name === 'istio_requests_total')?.value
  call()
  clock.advance(3_700_000)
  expect(count()).toBe(1)
  metrics.scrapes++
  clock.advance(60_000)
  expect(count()).toBeUndefined()
  expect(metrics.histograms()).toEqual([])
  call()
  expect(count()).toBe(1)
  clock.advance(24 * 3_600_000 + 60_000)
  expect(count()).toBeUndefined()
})

test('metrics and labels are left out where the configuration says so', () => {
  const { metrics, context } = observing()
  const config = {
    metrics: [
      { name: 'request_bytes', drop: true },
      {
        tagsToRemove: ['source_principal'],
        dimensions: { method: 'request.method', none: 'request.headers["x-none"]' },
      },
      { name: 'response_bytes', drop: true },
    ],
  }
  const observer = istioCallObserver('inbound', stats('inbound', config), false).create(context)
  observer.onEnd?.(callOf(''))
  observer.onEnd?.(callOf(''))
  expect(metrics.histograms().map(({ name }) => name)).toEqual([
    'istio_request_bytes',
    'istio_request_duration_milliseconds',
  ])
  const labels = metrics.all().find(({ name }) => name === 'istio_requests_total')?.labels
  expect(labels).not.toHaveProperty('source_principal')
  expect(labels).toMatchObject({ destination_principal: OWN, method: 'GET', none: 'unknown' })
})
