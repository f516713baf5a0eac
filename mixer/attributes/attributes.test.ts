import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { NodeSchema, RequestMethod } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import {
  AccessLogType,
  HTTPAccessLogEntrySchema,
  TCPAccessLogEntrySchema,
} from '../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import { RateLimitDescriptorSchema } from '../../api/gen/envoy/extensions/common/ratelimit/v3/ratelimit_pb.js'
import { CheckRequestSchema } from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'
import { httpEntryBag, tcpEntryBag } from './from-access-log.ts'
import { checkBag } from './from-check.ts'
import { descriptorBag } from './from-rate-limit.ts'
import { reporterOf } from './reporter.ts'
import { splitReference, toldAttributes } from './text.ts'
import type { AttributeBag, Value } from './value.ts'
import { VOCABULARY } from './vocabulary.ts'

/** Every attribute that is there. */
function all(bag: AttributeBag): Record<string, Value> {
  const found: Record<string, Value> = {}
  for (const [name, type] of VOCABULARY) {
    const value = bag.get(name)
    if (value === undefined) continue
    const is = type === 'BOOL' ? 'boolean' : type === 'STRING_MAP' ? 'object' : numeric(type) ? 'number' : 'string'
    expect([name, typeof value]).toEqual([name, is])
    found[name] = typeof value === 'object' ? { ...value } : value
  }
  return found
}

function numeric(type: string): boolean {
  return ['INT64', 'DOUBLE', 'TIMESTAMP', 'DURATION'].includes(type)
}

const address = (ip: string, port: number) => ({
  address: {
    case: 'socketAddress' as const,
    value: { address: ip, portSpecifier: { case: 'portValue' as const, value: port } },
  },
})
const principal = (account: string) => `spiffe://td/ns/a/sa/${account}`

test('the vocabulary is as large as Istio says', () => {
  // 63 of the proxy and 26 of Kubernetes, and a few by their older names.
  expect(VOCABULARY.size).toBeGreaterThanOrEqual(89)
})

test('a check of HTTP', () => {
  const request: MessageInitShape<typeof CheckRequestSchema> = {
    attributes: {
      source: { address: address('::ffff:10.0.0.1', 5), principal: principal('web') },
      destination: { address: address('10.0.0.2', 80), principal: principal('db'), labels: { app: 'db' } },
      request: {
        time: { seconds: 1n, nanos: 500_000_000 },
        http: {
          id: '7',
          method: 'PUT',
          path: '/a?b=c&api_key=k&b=d',
          host: 'db:80',
          scheme: 'http',
          size: 12n,
          headers: {
            'user-agent': 'curl',
            referer: 'r',
            'content-type': 'application/grpc+proto',
            'x-request-id': 'id',
          },
        },
      },
      tlsSession: { sni: 'db.a' },
      metadataContext: {
        filterMetadata: {
          'envoy.filters.http.jwt_authn': { payload: { iss: 'i', sub: 's', aud: ['x', 'y'], azp: 'p', n: 5 } },
        },
      },
      contextExtensions: {
        'destination.service.host': 'db.a.svc.cluster.local',
        'source.labels[app]': 'web',
        'source.labels[version]': 'v1',
        'destination.port': '8080',
        'context.reporter.local': 'true',
        'destination.ip': 'nonsense',
        unknown: 'x',
      },
    },
  }
  expect(all(checkBag(create(CheckRequestSchema, request), VOCABULARY))).toEqual({
    'api.protocol': 'grpc',
    'connection.mtls': true,
    'connection.requested_server_name': 'db.a',
    'context.protocol': 'grpc',
    'context.reporter.kind': 'inbound',
    'context.reporter.local': true,
    'context.time': 1500,
    'context.timestamp': 1500,
    'destination.ip': '10.0.0.2',
    'destination.labels': { app: 'db' },
    'destination.namespace': 'a',
    'destination.port': 8080,
    'destination.principal': 'td/ns/a/sa/db',
    'destination.service.host': 'db.a.svc.cluster.local',
    'destination.service.name': 'db',
    'destination.service.namespace': 'a',
    'destination.serviceAccount': 'db',
    'destination.user': 'td/ns/a/sa/db',
    'request.api_key': 'k',
    'request.auth.audiences': 'x,y',
    'request.auth.claims': { iss: 'i', sub: 's', aud: 'x,y', azp: 'p', n: '5' },
    'request.auth.presenter': 'p',
    'request.auth.principal': 'i/s',
    'request.auth.raw_claims': '{"iss":"i","sub":"s","aud":["x","y"],"azp":"p","n":5}',
    'request.headers': {
      'user-agent': 'curl',
      referer: 'r',
      'content-type': 'application/grpc+proto',
      'x-request-id': 'id',
    },
    'request.host': 'db:80',
    'request.id': 'id',
    'request.method': 'PUT',
    'request.path': '/a?b=c&api_key=k&b=d',
    'request.query_params': { b: 'c', api_key: 'k' },
    'request.referer': 'r',
    'request.scheme': 'http',
    'request.size': 12,
    'request.time': 1500,
    'request.url_path': '/a',
    'request.useragent': 'curl',
    'source.ip': '10.0.0.1',
    'source.labels': { app: 'web', version: 'v1' },
    'source.namespace': 'a',
    'source.principal': 'td/ns/a/sa/web',
    'source.serviceAccount': 'web',
    'source.user': 'td/ns/a/sa/web',
  })
})

test('a check of a connection, and one of nothing', () => {
  const tcp = create(CheckRequestSchema, { attributes: { source: { address: address('10.0.0.1', 5) } } })
  expect(all(checkBag(tcp, VOCABULARY))).toEqual({
    'connection.event': 'open',
    'connection.mtls': false,
    'context.protocol': 'tcp',
    'context.reporter.kind': 'inbound',
    'source.ip': '10.0.0.1',
  })
  expect(all(checkBag(create(CheckRequestSchema), VOCABULARY))['source.ip']).toBeUndefined()
})

test('a descriptor', () => {
  const entries = {
    remote_address: '10.0.0.9',
    destination_cluster: 'outbound|9080|v1|reviews.b.svc.cluster.local',
    generic_key: 'x',
    'request.headers[x-user]': 'ann',
    'request.size': '5',
  }
  const descriptor = create(RateLimitDescriptorSchema, {
    entries: Object.entries(entries).map(([key, value]) => ({ key, value })),
  })
  expect(all(descriptorBag(descriptor, VOCABULARY))).toEqual({
    'context.reporter.kind': 'outbound',
    'destination.port': 9080,
    'destination.service.host': 'reviews.b.svc.cluster.local',
    'destination.service.name': 'reviews',
    'destination.service.namespace': 'b',
    'request.headers': { 'x-user': 'ann' },
    'request.size': 5,
    'source.ip': '10.0.0.9',
  })
})

test('a descriptor tells who calls as the certificate does', () => {
  const told = (value: string) => create(RateLimitDescriptorSchema, { entries: [{ key: 'source.principal', value }] })
  expect(all(descriptorBag(told('spiffe://cluster.local/ns/a/sa/b'), VOCABULARY))).toEqual({
    'context.reporter.kind': 'inbound',
    'source.principal': 'cluster.local/ns/a/sa/b',
    'source.user': 'cluster.local/ns/a/sa/b',
    'source.namespace': 'a',
    'source.serviceAccount': 'b',
  })
  expect(descriptorBag(told('ann'), VOCABULARY).get('source.principal')).toBe('ann')
})

const NODE = create(NodeSchema, {
  id: 'sidecar~10.0.0.2~web-1.a~a.svc.cluster.local',
  metadata: { LABELS: { app: 'web' }, WORKLOAD_NAME: 'web', SERVICE_ACCOUNT: 'web', OWNER: 'o', ISTIO_VERSION: '1.4' },
})
const san = (uri: string) => ({ subjectAltName: [{ san: { case: 'uri' as const, value: uri } }] })

test('an entry of HTTP, of what comes in and of what goes out', () => {
  const entry = create(HTTPAccessLogEntrySchema, {
    commonProperties: {
      downstreamRemoteAddress: address('10.0.0.1', 1),
      downstreamDirectRemoteAddress: address('10.0.0.8', 1),
      downstreamLocalAddress: address('10.0.0.2', 80),
      upstreamRemoteAddress: address('10.0.0.3', 81),
      upstreamCluster: 'inbound|80||',
      startTime: { seconds: 10n },
      duration: { nanos: 6_000_000 },
      responseFlags: {
        upstreamConnectionFailure: true,
        upstreamRetryLimitExceeded: true,
        unauthorizedDetails: { reason: 1 },
      },
      tlsProperties: {
        tlsSniHostname: 'web.a',
        peerCertificateProperties: san('spiffe://td/ns/b/sa/caller'),
        localCertificateProperties: san(principal('web')),
      },
      customTags: { 'request.reason': 'because' },
    },
    request: {
      requestMethod: RequestMethod.GET,
      authority: 'web',
      path: '/new',
      originalPath: '/old?x=1',
      userAgent: 'c',
      requestId: 'id',
      requestBodyBytes: 3n,
      requestHeadersBytes: 4n,
    },
    response: {
      responseCode: 503,
      responseBodyBytes: 5n,
      responseHeadersBytes: 6n,
      responseTrailers: { 'grpc-status': '14' },
    },
  })
  const inbound = all(httpEntryBag(entry, reporterOf(NODE), VOCABULARY))
  expect(inbound).toEqual({
    'api.protocol': 'http',
    'connection.mtls': true,
    'connection.requested_server_name': 'web.a',
    'context.protocol': 'http',
    'context.proxy_error_code': 'UF,URX,UAEX',
    'context.proxy_version': '1.4',
    'context.reporter.kind': 'inbound',
    'context.reporter.uid': 'kubernetes://web-1.a',
    'context.time': 10_006,
    'context.timestamp': 10_006,
    'destination.ip': '10.0.0.2',
    'destination.labels': { app: 'web' },
    'destination.name': 'web-1',
    'destination.namespace': 'a',
    'destination.owner': 'o',
    'destination.port': 80,
    'destination.principal': 'td/ns/a/sa/web',
    'destination.serviceAccount': 'web',
    'destination.uid': 'kubernetes://web-1.a',
    'destination.user': 'td/ns/a/sa/web',
    'destination.workload.name': 'web',
    'destination.workload.namespace': 'a',
    'destination.workload.uid': 'istio://a/workloads/web',
    'origin.ip': '10.0.0.1',
    'request.headers': {},
    'request.host': 'web',
    'request.id': 'id',
    'request.method': 'GET',
    'request.path': '/old?x=1',
    'request.query_params': { x: '1' },
    'request.reason': 'because',
    'request.size': 3,
    'request.time': 10_000,
    'request.total_size': 7,
    'request.url_path': '/old',
    'request.useragent': 'c',
    'response.code': 503,
    'response.duration': 6,
    'response.grpc_status': '14',
    'response.headers': {},
    'response.size': 5,
    'response.time': 10_006,
    'response.total_size': 11,
    'source.ip': '10.0.0.8',
    'source.namespace': 'b',
    'source.principal': 'td/ns/b/sa/caller',
    'source.serviceAccount': 'caller',
    'source.user': 'td/ns/b/sa/caller',
  })
  if (entry.commonProperties) entry.commonProperties.upstreamCluster = 'outbound|80|v1|db.c.svc.cluster.local'
  const outbound = all(httpEntryBag(entry, reporterOf(NODE), VOCABULARY))
  expect(outbound).toMatchObject({
    'context.reporter.kind': 'outbound',
    'source.workload.name': 'web',
    'source.namespace': 'a',
    'destination.ip': '10.0.0.3',
    'destination.port': 81,
    'destination.service.host': 'db.c.svc.cluster.local',
    'destination.service.namespace': 'c',
  })
  expect(outbound['destination.workload.name']).toBeUndefined()
})

test('entries of a connection: when it opens, goes on and ends', () => {
  const told = (accessLogType: AccessLogType, received: bigint, before?: { received: number; sent: number }) => {
    const entry = create(TCPAccessLogEntrySchema, {
      commonProperties: { accessLogType, streamId: 'c', duration: { seconds: 2n } },
      connectionProperties: { receivedBytes: received, sentBytes: 5n },
    })
    const bag = tcpEntryBag(entry, reporterOf(undefined), VOCABULARY, before)
    return ['connection.event', 'connection.received.bytes', 'connection.received.bytes_total'].map((name) =>
      bag.get(name),
    )
  }
  expect(told(AccessLogType.TcpUpstreamConnected, 0n)).toEqual(['open', 0, 0])
  expect(told(AccessLogType.TcpPeriodic, 10n, { received: 0, sent: 0 })).toEqual(['continue', 10, 10])
  expect(told(AccessLogType.TcpConnectionEnd, 12n, { received: 10, sent: 0 })).toEqual(['close', 2, 12])
  // Older proxies tell of the end only.
  expect(told(AccessLogType.NotSet, 12n)).toEqual(['close', 12, 12])
})

test('attributes as text', () => {
  expect(splitReference('a.b[c.d]')).toEqual({ name: 'a.b', key: 'c.d' })
  expect(splitReference('a.b')).toEqual({ name: 'a.b', key: undefined })
  const entries = {
    'response.duration': '5ms',
    'request.time': '1970-01-01T00:00:01Z',
    'connection.mtls': 'yes',
    'request.size': '1.5',
  }
  expect([...toldAttributes(Object.entries(entries), VOCABULARY)]).toEqual([
    ['response.duration', 5],
    ['request.time', 1000],
  ])
})
