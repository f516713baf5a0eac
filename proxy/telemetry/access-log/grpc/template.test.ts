import { create, fromBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  type HTTPAccessLogEntry,
  HTTPAccessLogEntrySchema,
} from '../../../../api/gen/envoy/data/accesslog/v3/accesslog_pb.js'
import { StreamAccessLogsMessage_HTTPAccessLogEntriesSchema as HttpEntriesSchema } from '../../../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import { FieldBatch } from '../../../stream/field-batch.ts'
import type { CallRecord } from '../../call-record.ts'
import { headBytes } from '../../cel/attributes.ts'
import { WireWriter } from '../../wire/wire-writer.ts'
import { RECORDED_CONNECTION, recordedCall, socketAddress } from '../testing.ts'
import { writeHttpEntry } from './entry.ts'

const PLAIN = { requestHeaders: [], responseHeaders: [], responseTrailers: [], tags: [] }
const UUID = '0a1b2c3d-4e5f-4a6b-8c7d-0123456789ab'
const BATCH = new FieldBatch('x-request-id', UUID, 3)
const HOSTS = ['10.1.1.1', '10.1.1.2'].map((ip) => ({ plan: { address: ip, port: 80, unixPath: '' } }))
const CLUSTER = { plan: { name: 'up' } }
const START = { startMs: 1000, startWallMs: 1_767_000_000_123 }
/** More calls alike than it takes until a connection's entries have more of them ready. */
const RUN = 40

/** How a request's identifier came to it; all that are usual are the same text. */
const IDS: Readonly<Record<string, { readonly text: string; give(record: CallRecord): void }>> = {
  received: { text: UUID, give: () => {} },
  ours: { text: UUID, give: ({ head }) => head.appendOf(BATCH, BATCH.lineLength) },
  added: { text: UUID, give: ({ head }) => head.append('x-request-id', UUID) },
  short: { text: 'abc', give: ({ head }) => head.append('x-request-id', 'abc') },
  none: { text: '', give: () => {} },
  twice: {
    text: `${UUID},${UUID}`,
    give: ({ head }) => {
      head.appendOf(BATCH)
      head.append('X-Request-ID', UUID)
    },
  },
}

interface Call {
  id: string
  authority: string
  path: string
  agent: string
  host: number
  status: number
  /** After the start: of the request's last byte, of the upstream's start, of the answer's head, and of its end. */
  times: number[]
  received: number
  sent: number
  tries: number
}

/** Quarters of milliseconds, so that sums are exact. */
const ms = (most: number) => fc.nat(most * 4).map((quarters) => quarters / 4)
const size = fc.oneof(fc.constant(0), fc.nat(70_000), fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 40 + 5))
const call: fc.Arbitrary<Call> = fc.record({
  id: fc.constantFrom(...Object.keys(IDS)),
  authority: fc.constantFrom('a.example', 'b.example'),
  path: fc.oneof(fc.constantFrom('/', '/a/path?with=query'), fc.constant(`/${'l'.repeat(300)}`)),
  agent: fc.constantFrom('', 'curl/8.0'),
  host: fc.constantFrom(0, 1),
  status: fc.constantFrom(200, 200, 404),
  times: fc.array(fc.oneof(ms(999), ms(999), ms(5000)), { minLength: 4, maxLength: 4 }),
  received: size,
  sent: size,
  tries: fc.constantFrom(1, 1, 2, 127, 128, 300),
})

function recorded({ id, authority, path, agent, host, status, times, received, sent, tries }: Call): CallRecord {
  const fields = { ...(id === 'received' ? { 'X-Request-Id': UUID } : {}), ...(agent && { 'user-agent': agent }) }
  const record = recordedCall({ authority, path, status, received: fields })
  IDS[id]?.give(record)
  const [requestEndMs, upstreamStartMs, responseMs, endMs] = times.map((after) => START.startMs + after)
  const sizes = { receivedBytes: received, sentBytes: sent }
  const upstream = { host: HOSTS[host], cluster: CLUSTER, isUpstreamAnswer: true, tries }
  return Object.assign(record, START, { requestEndMs, upstreamStartMs, responseMs, endMs }, sizes, upstream)
}

function expected(given: Call, record: CallRecord): HTTPAccessLogEntry {
  const [received = 0, sent = 0, first = 0, last = 0] = given.times
  const since = (after: number) => ({ seconds: BigInt(Math.floor(after / 1000)), nanos: (after % 1000) * 1e6 })
  const { text } = IDS[given.id] as (typeof IDS)[string]
  return create(HTTPAccessLogEntrySchema, {
    protocolVersion: 2,
    commonProperties: {
      ...RECORDED_CONNECTION,
      upstreamRemoteAddress: socketAddress(HOSTS[given.host]?.plan.address ?? '', 80),
      upstreamCluster: 'up',
      startTime: { seconds: BigInt(Math.floor(START.startWallMs / 1000)), nanos: (START.startWallMs % 1000) * 1e6 },
      timeToLastRxByte: since(received),
      timeToFirstUpstreamTxByte: since(sent),
      timeToLastUpstreamTxByte: since(Math.max(sent, received)),
      timeToFirstUpstreamRxByte: since(first),
      timeToLastUpstreamRxByte: since(last),
      timeToFirstDownstreamTxByte: since(first),
      timeToLastDownstreamTxByte: since(last),
      duration: since(last),
      upstreamRequestAttemptCount: given.tries,
      streamId: text,
    },
    request: {
      requestMethod: 1,
      scheme: 'http',
      authority: given.authority,
      path: given.path,
      userAgent: given.agent,
      requestId: text,
      requestHeadersBytes: BigInt(headBytes(record.head)),
      requestBodyBytes: BigInt(given.received),
    },
    response: {
      responseCode: given.status,
      responseCodeDetails: 'via_upstream',
      responseBodyBytes: BigInt(given.sent),
    },
  })
}

test('entries of one connection say what their calls were, usual or not, after however many that were alike', () => {
  const runs = fc.array(fc.record({ call, length: fc.constantFrom(1, 2, RUN) }), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(runs, fc.boolean(), (given, isUsualOnly) => {
      const out = new WireWriter(64)
      const { facts } = recordedCall()
      const wanted: HTTPAccessLogEntry[] = []
      for (const { call: one, length } of given) {
        const usual = isUsualOnly ? { ...one, id: 'ours', times: [1, 2.5, 900, 999.75] } : one
        for (let i = 0; i < length; i++) {
          const record = Object.assign(recorded(usual), { facts })
          writeHttpEntry(out, record, PLAIN)
          wanted.push(expected(usual, record))
        }
      }
      expect(fromBinary(HttpEntriesSchema, out.copy()).logEntry).toEqual(wanted)
    }),
    { numRuns: 60 },
  )
})

test('an identifier of 36 bytes that are no UTF-8 is made a text', () => {
  const out = new WireWriter(64)
  const record = recordedCall({ received: { 'x-request-id': `${'a'.repeat(35)}\xff` } })
  writeHttpEntry(out, Object.assign(record, { isUpstreamAnswer: true }), PLAIN)
  expect(fromBinary(HttpEntriesSchema, out.copy()).logEntry[0]?.request?.requestId).toBe(`${'a'.repeat(35)}!`)
})
