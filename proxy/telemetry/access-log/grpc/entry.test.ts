import { create, fromBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { AddressSchema } from '../../../../api/gen/envoy/config/core/v3/address_pb.js'
import {
  HTTPAccessLogEntrySchema,
  TCPAccessLogEntrySchema,
} from '../../../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import {
  StreamAccessLogsMessage_HTTPAccessLogEntriesSchema as HttpEntriesSchema,
  StreamAccessLogsMessage_TCPAccessLogEntriesSchema as TcpEntriesSchema,
} from '../../../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { headBytes } from '../../cel/attributes.ts'
import { ConnectionRecord } from '../../connection-record.ts'
import { WireWriter } from '../../wire/wire-writer.ts'
import { RECORDED_CONNECTION, recordedCall, socketAddress } from '../testing.ts'
import { writeHttpEntry, writeTcpEntry } from './entry.ts'

const PLAIN = { requestHeaders: [], responseHeaders: [], responseTrailers: [], tags: [] }
const since = (ms: number) => ({ seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.floor((ms % 1000) * 1e6) })

test('what is written of calls is what protobuf reads', () => {
  const text = fc.string({ maxLength: 200 })
  const call = fc.record({
    path: text.map((rest) => `/${rest}`),
    agent: text,
    asked: text,
    answered: text,
    trailer: fc.string({ maxLength: 20 }).map((value) => value.trim()),
    tag: text,
    status: fc.constantFrom(0, 200, 404, 503),
    received: fc.oneof(fc.nat(), fc.maxSafeNat()),
    count: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(call, ({ path, agent, asked, answered, trailer, tag, status, received, count }) => {
      const record = recordedCall({
        path,
        status,
        flag: status === 503 ? 'UH' : 'UAEX',
        fields: { 'user-agent': agent, 'x-request-id': 'abc', 'x-asked': asked },
        answer: { 'x-answered': answered },
        responseFields: ['x-answered'],
        trailers: `x-trailer: ${trailer}\r\n`,
      })
      record.receivedBytes = received
      record.tries = 2
      // Small, so that it must grow.
      const out = new WireWriter(16)
      const options = {
        requestHeaders: ['x-asked', 'x-absent'],
        responseHeaders: ['x-answered'],
        responseTrailers: ['x-trailer'],
        tags: [{ name: 'tag', read: () => tag }],
      }
      for (let i = 0; i < count; i++) writeHttpEntry(out, record, options)
      const { logEntry } = fromBinary(HttpEntriesSchema, out.copy())
      const bytes = logEntry[0]?.request?.requestHeadersBytes ?? 0n
      const expected = create(HTTPAccessLogEntrySchema, {
        protocolVersion: 2,
        commonProperties: {
          ...RECORDED_CONNECTION,
          startTime: { seconds: BigInt(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000), nanos: 678_000_000 },
          timeToLastRxByte: since(2),
          timeToFirstUpstreamTxByte: since(5),
          timeToLastUpstreamTxByte: since(5),
          timeToFirstDownstreamTxByte: since(20),
          timeToLastDownstreamTxByte: since(1025.9 - 1000),
          duration: since(1025.9 - 1000),
          responseFlags: status === 503 ? { noHealthyUpstream: true } : { unauthorizedDetails: { reason: 1 } },
          customTags: { tag },
          upstreamRequestAttemptCount: 2,
          streamId: 'abc',
        },
        request: {
          requestMethod: 1,
          scheme: 'http',
          authority: 'shop.example',
          path,
          userAgent: agent,
          requestId: 'abc',
          requestHeadersBytes: bytes,
          requestBodyBytes: BigInt(received),
          requestHeaders: { 'x-asked': asked },
        },
        response: {
          ...(status === 0 ? {} : { responseCode: status, responseHeaders: { 'x-answered': answered } }),
          responseBodyBytes: 11n,
          responseTrailers: { 'x-trailer': trailer },
        },
      })
      expect(logEntry).toEqual(Array.from({ length: count }, () => expected))
      expect(bytes).toBeGreaterThan(0n)
    }),
  )
})

test('times are told where there are any, short or long', () => {
  // Quarters of milliseconds, so that sums are exact.
  const atMs = fc.oneof(
    fc.constant(0),
    fc.integer({ min: 4001, max: 20_000 }).map((quarters) => quarters / 4),
  )
  const times = fc.record({
    startMs: fc.constantFrom(0, 1000),
    requestEndMs: atMs,
    upstreamStartMs: atMs,
    responseMs: atMs,
    endMs: atMs,
  })
  fc.assert(
    fc.property(times, fc.boolean(), fc.nat(2 ** 31), (given, isUpstreamAnswer, startQuarters) => {
      const record = Object.assign(recordedCall(), given, { isUpstreamAnswer, startWallMs: startQuarters / 4 })
      const out = new WireWriter(64)
      writeHttpEntry(out, record, PLAIN)
      const common = fromBinary(HttpEntriesSchema, out.copy()).logEntry[0]?.commonProperties
      const { startMs, requestEndMs, upstreamStartMs, responseMs, endMs } = given
      const told = (name: string, ms: number) => (ms === 0 ? {} : { [name]: since(ms - startMs) })
      const lastSentMs = requestEndMs === 0 || upstreamStartMs === 0 ? 0 : Math.max(requestEndMs, upstreamStartMs)
      const ofUpstream = {
        ...told('timeToFirstUpstreamRxByte', responseMs),
        ...told('timeToLastUpstreamRxByte', endMs),
      }
      const expected = create(HTTPAccessLogEntrySchema, {
        commonProperties: {
          ...RECORDED_CONNECTION,
          startTime: since(startQuarters / 4),
          ...told('timeToLastRxByte', requestEndMs),
          ...told('timeToFirstUpstreamTxByte', upstreamStartMs),
          ...told('timeToLastUpstreamTxByte', lastSentMs),
          ...(isUpstreamAnswer ? ofUpstream : {}),
          ...told('timeToFirstDownstreamTxByte', responseMs),
          ...told('timeToLastDownstreamTxByte', endMs),
          ...told('duration', endMs),
        },
      })
      expect(common).toEqual(expected.commonProperties)
    }),
    {
      numRuns: 300,
      examples: [
        [
          { startMs: 1000, requestEndMs: 1000.25, upstreamStartMs: 1001, responseMs: 1300, endMs: 1999.75 },
          true,
          7_000_000_000,
        ],
      ],
    },
  )
})

test('answers that differ are told as they are, from one host and by one connection', () => {
  const out = new WireWriter(64)
  const record = recordedCall()
  const host = { plan: { address: '10.1.1.1', port: 80, unixPath: '' } }
  Object.assign(record, { host, cluster: { plan: { name: 'up' } }, isUpstreamAnswer: true })
  const calls = [
    [200, 'GET', 'a.example', 1],
    [404, 'POST', 'a.example', 1],
    [200, 'GET', 'b.example', 0],
    [404, 'GET', 'b.example', 1],
  ] as const
  for (const [status, method, authority, minorVersion] of calls) {
    record.status = status
    Object.assign(record.head, { method, authority, minorVersion })
    writeHttpEntry(out, record, PLAIN)
  }
  const told = fromBinary(HttpEntriesSchema, out.copy()).logEntry.map((entry) => {
    const { request, response, commonProperties, protocolVersion } = entry
    const { upstreamCluster, upstreamRemoteAddress, downstreamDirectRemoteAddress } = commonProperties ?? {}
    expect([upstreamCluster, response?.responseCodeDetails]).toEqual(['up', 'via_upstream'])
    expect(upstreamRemoteAddress).toEqual(create(AddressSchema, socketAddress('10.1.1.1', 80)))
    expect(downstreamDirectRemoteAddress).toEqual(create(AddressSchema, socketAddress('10.0.0.7', 4000)))
    return [
      response?.responseCode,
      ['', 'GET', '', 'POST'][request?.requestMethod ?? 0],
      request?.authority,
      protocolVersion - 1,
    ]
  })
  expect(told).toEqual(calls)
})

test('texts are read from where the fields are: received, added, or several', () => {
  const out = new WireWriter(64)
  const received = {
    'User-Agent': 'curl/8.0',
    referer: 'http://a/',
    'X-Forwarded-For': '10.0.0.1',
    'X-Request-ID': 'id',
  }
  const one = recordedCall({ received, fields: { 'X-Envoy-Original-Path': '/before' } })
  const several = recordedCall({ received, fields: { 'x-forwarded-for': '10.0.0.2' } })
  several.head.remove('user-agent')
  several.head.set('x-request-id', 'another')
  const long = recordedCall({ received: { 'user-agent': 'a'.repeat(500), referer: `${'b'.repeat(40)}\xff` } })
  for (const record of [one, several, long]) writeHttpEntry(out, record, PLAIN)
  const entries = fromBinary(HttpEntriesSchema, out.copy()).logEntry
  const told = entries.map(({ request, commonProperties }) => {
    const { userAgent, referer, forwardedFor, requestId, originalPath } = request ?? {}
    return [userAgent, referer, forwardedFor, requestId, commonProperties?.streamId, originalPath]
  })
  expect(told).toEqual([
    ['curl/8.0', 'http://a/', '10.0.0.1', 'id', 'id', '/before'],
    ['', 'http://a/', '10.0.0.1,10.0.0.2', 'another', 'another', ''],
    ['a'.repeat(500), `${'b'.repeat(40)}!`, '', '', '', ''],
  ])
  const bytes = entries.map(({ request }) => request?.requestHeadersBytes)
  expect(bytes).toEqual([one, several, long].map(({ head }) => BigInt(headBytes(head))))
})

test('who a proxy before us vouches for is the client', () => {
  const out = new WireWriter(64)
  const record = recordedCall()
  record.decision.clientAddress = '2001:db8::1'
  writeHttpEntry(out, record, PLAIN)
  const common = fromBinary(HttpEntriesSchema, out.copy()).logEntry[0]?.commonProperties
  expect(common?.downstreamRemoteAddress?.address.value).toMatchObject({ address: '2001:db8::1' })
  expect(common?.downstreamDirectRemoteAddress).toEqual(create(AddressSchema, socketAddress('10.0.0.7', 4000)))
})

test('texts that are no UTF-8 are made some, and those that are stay', () => {
  const utf8 = Buffer.from('ä'.repeat(40), 'utf8').toString('latin1')
  const read = (agent: string) => {
    const out = new WireWriter(64)
    writeHttpEntry(out, recordedCall({ fields: { 'user-agent': agent } }), PLAIN)
    return fromBinary(HttpEntriesSchema, out.copy()).logEntry[0]?.request?.userAgent
  }
  expect(read(utf8)).toBe('ä'.repeat(40))
  expect(read('a\xffb')).toBe('a!b')
  expect(read(`\xff${'b'.repeat(60)}`)).toBe(`!${'b'.repeat(60)}`)
})

test('a connection is written with its bytes', () => {
  const record = new ConnectionRecord(connectionFacts({ sourceAddress: '::1', sourcePort: 9 }), 0, 1500)
  record.receivedBytes = 300
  record.sentBytes = 5_000_000_000
  record.endMs = 12
  record.flag = 'UF'
  const out = new WireWriter(64)
  writeTcpEntry(out, record, PLAIN)
  const [entry] = fromBinary(TcpEntriesSchema, out.copy()).logEntry
  expect(entry).toEqual(
    create(TCPAccessLogEntrySchema, {
      connectionProperties: { receivedBytes: 300n, sentBytes: 5_000_000_000n },
      commonProperties: {
        sampleRate: 1,
        downstreamRemoteAddress: socketAddress('::1', 9),
        startTime: { seconds: 1n, nanos: 500_000_000 },
        responseFlags: { upstreamConnectionFailure: true },
        accessLogType: 3,
        duration: since(12),
        timeToLastDownstreamTxByte: since(12),
      },
    }),
  )
})
