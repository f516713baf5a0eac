import { create, toBinary } from '@bufbuild/protobuf'
import { RequestMethod } from '../../api/gen/envoy/config/core/v3/base_pb.js'
import { HTTPAccessLogEntry_HTTPVersion } from '../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import { StreamAccessLogsMessageSchema } from '../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import { CheckRequestSchema } from '../../api/gen/envoy/service/auth/v3/external_auth_pb.js'

const address = (ip: string, port: number) => ({
  address: {
    case: 'socketAddress' as const,
    value: { address: ip, portSpecifier: { case: 'portValue' as const, value: port } },
  },
})
const HEADERS = {
  ':authority': 'ratings:9080',
  ':path': '/ratings/0',
  ':method': 'GET',
  ':scheme': 'http',
  accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2',
  'user-agent': 'curl/8.9.1',
  'x-forwarded-proto': 'http',
  'x-request-id': '7c3b1c47-6ff3-4d8a-9d36-0b6a9b5a1c11',
  'x-b3-traceid': '8a3c60f7d188f8fa79d48a391a778fa6',
  'x-b3-spanid': '79d48a391a778fa6',
  'x-b3-sampled': '0',
  cookie: 'session=eyJ1c2VyIjoiamFzb24ifQ; user=jason',
}
const principal = (account: string) => `spiffe://cluster.local/ns/default/sa/${account}`

/** A check as Envoy asks it, framed for gRPC. */
export function checkFrame(): Buffer {
  const message = toBinary(
    CheckRequestSchema,
    create(CheckRequestSchema, {
      attributes: {
        source: { address: address('10.0.0.2', 41234), principal: principal('reviews') },
        destination: { address: address('10.0.0.3', 9080), principal: principal('ratings') },
        request: {
          time: { seconds: 1_700_000_000n, nanos: 123_456_000 },
          http: {
            id: '1234567890123456789',
            method: 'GET',
            headers: HEADERS,
            path: '/ratings/0',
            host: 'ratings:9080',
            scheme: 'http',
            protocol: 'HTTP/1.1',
            size: -1n,
          },
        },
      },
    }),
  )
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  return frame
}

export const ENTRIES_PER_MESSAGE = 100

/** A message of many entries as Envoy sends them; the first of a stream says who sends. */
export function logMessage(isFirst: boolean): Buffer {
  const duration = (ms: number) => ({ seconds: 0n, nanos: ms * 1e6 })
  const logEntry = Array.from({ length: ENTRIES_PER_MESSAGE }, (_unused, i) => ({
    protocolVersion: HTTPAccessLogEntry_HTTPVersion.HTTP11,
    commonProperties: {
      sampleRate: 1,
      downstreamRemoteAddress: address('10.0.0.2', 40_000 + i),
      downstreamDirectRemoteAddress: address('10.0.0.2', 40_000 + i),
      downstreamLocalAddress: address('10.0.0.3', 9080),
      upstreamRemoteAddress: address('10.0.0.3', 9080),
      upstreamLocalAddress: address('127.0.0.6', 50_000 + i),
      startTime: { seconds: 1_700_000_000n, nanos: 123_456_000 },
      timeToLastRxByte: duration(1),
      timeToFirstUpstreamTxByte: duration(1),
      timeToLastUpstreamTxByte: duration(1),
      timeToFirstUpstreamRxByte: duration(5),
      timeToLastUpstreamRxByte: duration(6),
      timeToFirstDownstreamTxByte: duration(6),
      timeToLastDownstreamTxByte: duration(6),
      duration: duration(6),
      upstreamCluster: 'inbound|9080||ratings.default.svc.cluster.local',
      routeName: 'default',
      upstreamRequestAttemptCount: 1,
      streamId: '7c3b1c47-6ff3-4d8a-9d36-0b6a9b5a1c11',
    },
    request: {
      requestMethod: RequestMethod.GET,
      scheme: 'http',
      authority: 'ratings:9080',
      path: `/ratings/${i}`,
      userAgent: 'curl/8.9.1',
      requestId: '7c3b1c47-6ff3-4d8a-9d36-0b6a9b5a1c11',
      requestHeadersBytes: 420n,
    },
    response: {
      responseCode: i % 50 === 0 ? 503 : 200,
      responseHeadersBytes: 180n,
      responseBodyBytes: 48n,
      responseCodeDetails: 'via_upstream',
    },
  }))
  const node = {
    id: 'sidecar~10.0.0.3~ratings-v1.default~default.svc.cluster.local',
    metadata: { NAME: 'ratings-v1', NAMESPACE: 'default', WORKLOAD_NAME: 'ratings-v1', LABELS: { app: 'ratings' } },
  }
  return Buffer.from(
    toBinary(
      StreamAccessLogsMessageSchema,
      create(StreamAccessLogsMessageSchema, {
        ...(isFirst && { identifier: { node, logName: 'bench' } }),
        logEntries: { case: 'httpLogs', value: { logEntry } },
      }),
    ),
  )
}
