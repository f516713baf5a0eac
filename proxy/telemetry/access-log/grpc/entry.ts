import type { HeaderBlock } from '../../../stream/header-block.ts'
import type { CallRecord } from '../../call-record.ts'
import { headBytes, type Subject } from '../../cel/attributes.ts'
import type { ConnectionRecord } from '../../connection-record.ts'
import { trailerField } from '../../trailer-field.ts'
import {
  bytesKey,
  type Memory,
  numberKey,
  open,
  putAgain,
  putIp,
  putNumber,
  putRaw,
  putShort,
  putSince,
  putSlice,
  putText,
  putTime,
  putWords,
} from '../../wire/put.ts'
import type { WireWriter } from '../../wire/wire-writer.ts'
import type { ReadValue } from '../operator.ts'
import { requestField } from '../operators.ts'
import { writeFlags } from './flags.ts'
import {
  ABSENT,
  FORWARDED_FOR,
  HeadPlaces,
  NAMES,
  ORIGINAL_PATH,
  REFERER,
  REQUEST_ID,
  SEVERAL,
  USER_AGENT,
} from './head-places.ts'
import { answerPiece, type ConnectionPieces, connectionPieces, upstreamPiece } from './pieces.ts'

/*
 * envoy.data.accesslog.v3, written as bytes: an object for each message of each call would cost more than all else that is
 * done for the entry. Entries of calls are put together directly (put.ts), with texts straight from the request's bytes. Numbers are
 * those of the fields in its protos.
 */

/** What is told of every call beside what Envoy always tells; names in lower case. */
export interface EntryOptions {
  readonly requestHeaders: readonly string[]
  readonly responseHeaders: readonly string[]
  readonly responseTrailers: readonly string[]
  readonly tags: readonly EntryTag[]
}

export interface EntryTag {
  readonly name: string
  readonly read: ReadValue
}

const HTTP_VERSION = { http10: 1, http11: 2, http2: 3 } as const
/** AccessLogType. */
const TYPE = { tcpConnectionEnd: 3, downstreamEnd: 6 } as const

const ENTRY = { common: bytesKey(1), version: 2, request: bytesKey(3), response: bytesKey(4) } as const
const COMMON = {
  client: bytesKey(2),
  startTime: bytesKey(5),
  lastReceived: bytesKey(6),
  firstUpstreamSent: bytesKey(7),
  lastUpstreamSent: bytesKey(8),
  firstUpstreamReceived: bytesKey(9),
  lastUpstreamReceived: bytesKey(10),
  firstSent: bytesKey(11),
  lastSent: bytesKey(12),
  tag: 22,
  duration: bytesKey(23),
  attempts: numberKey(24),
  streamId: bytesKey(26),
} as const
const REQUEST = {
  path: bytesKey(5),
  userAgent: bytesKey(6),
  referer: bytesKey(7),
  forwardedFor: bytesKey(8),
  requestId: bytesKey(9),
  originalPath: bytesKey(10),
  headersBytes: numberKey(11),
  bodyBytes: numberKey(12),
  header: 13,
} as const
const RESPONSE = { bodyBytes: numberKey(3), header: 4, trailer: 5 } as const

/** Of keys of fields up to 15, and of those beyond. */
const [ONE_BYTE, TWO_BYTES] = [1, 2] as const
/** More than a part of an entry takes beside its texts and pieces. */
const FIXED_BYTES = 256
const PLACES = new HeadPlaces()
/** Times of the call that is written: numbers that are no integers are objects when they are passed on. */
const TIMES = new Float64Array(5)
const [START, REQUEST_END, UPSTREAM_START, FIRST, LAST] = [0, 1, 2, 3, 4] as const
/** Where the request's identifier was put, without its key: an entry has it twice. The end is not behind the beginning where there is none. */
let idFrom = 0
let idEnd = 0

/** An HTTPAccessLogEntry as field 1 of what is being written. */
export function writeHttpEntry(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const { head } = record
  PLACES.find(head)
  const pieces = connectionPieces(record.facts, TYPE.downstreamEnd)
  const entry = out.begin(1)
  writeCallCommon(out, record, pieces, options)
  const version = head.isHttp2
    ? HTTP_VERSION.http2
    : head.minorVersion === 0
      ? HTTP_VERSION.http10
      : HTTP_VERSION.http11
  out.number(ENTRY.version, version)
  writeRequest(out, record, pieces, options)
  writeResponse(out, record, options)
  out.end(entry)
}

function writeCallCommon(
  out: WireWriter,
  record: CallRecord,
  { whole, withoutClient }: ConnectionPieces,
  { tags }: EntryOptions,
): void {
  const { head, decision, flags } = record
  const { clientAddress } = decision
  const upstream = upstreamPiece(record, decision.route)
  const to = out.room(FIXED_BYTES + whole.length + upstream.length + clientAddress.length + PLACES.textLength)
  const common = open(to, out.length, ENTRY.common)
  let at = putRaw(to, common, clientAddress === '' ? whole : withoutClient)
  if (clientAddress !== '') at = putIp(to, at, COMMON.client, clientAddress)
  at = putRaw(to, at, upstream)
  at = putTimes(to, at, record)
  at = putNumber(to, at, COMMON.attempts, record.tries)
  idFrom = at + TWO_BYTES
  at = putField(to, at, COMMON.streamId, head, REQUEST_ID)
  idEnd = at
  out.cut(at)
  if (flags.length > 0) writeFlags(out, flags)
  if (tags.length > 0) writeTags(out, record, tags)
  out.end(common)
}

/** As the operators of text logs have them (times.ts). */
function putTimes(to: Memory, start: number, record: CallRecord): number {
  const { isUpstreamAnswer, requestEndMs, upstreamStartMs } = record
  TIMES[START] = record.startMs
  TIMES[REQUEST_END] = requestEndMs
  TIMES[UPSTREAM_START] = upstreamStartMs
  TIMES[FIRST] = record.responseMs
  TIMES[LAST] = record.endMs
  let at = putTime(to, start, COMMON.startTime, record.startWallMs)
  at = putElapsed(to, at, COMMON.lastReceived, REQUEST_END)
  at = putElapsed(to, at, COMMON.firstUpstreamSent, UPSTREAM_START)
  if (upstreamStartMs !== 0 && requestEndMs !== 0) {
    const lastSent = upstreamStartMs > requestEndMs ? UPSTREAM_START : REQUEST_END
    at = putElapsed(to, at, COMMON.lastUpstreamSent, lastSent)
  }
  const firstFrom = at + ONE_BYTE
  at = putElapsed(to, at, isUpstreamAnswer ? COMMON.firstUpstreamReceived : COMMON.firstSent, FIRST)
  const firstEnd = at
  const lastFrom = at + ONE_BYTE
  at = putElapsed(to, at, isUpstreamAnswer ? COMMON.lastUpstreamReceived : COMMON.lastSent, LAST)
  const lastEnd = at
  if (isUpstreamAnswer) {
    at = putAgain(to, at, COMMON.firstSent, firstFrom, firstEnd)
    at = putAgain(to, at, COMMON.lastSent, lastFrom, lastEnd)
  }
  return putAgain(to, at, COMMON.duration, lastFrom, lastEnd)
}

/** How long after the start something happened, where it did. */
function putElapsed(to: Memory, at: number, key: number, which: number): number {
  const atMs = TIMES[which] as number
  const elapsedMs = atMs - (TIMES[START] as number)
  if (atMs === 0 || elapsedMs < 0) return at
  return elapsedMs < 1000 ? putShort(to, at, key, (elapsedMs * 1e6) | 0) : putTime(to, at, key, elapsedMs)
}

function writeRequest(
  out: WireWriter,
  record: CallRecord,
  pieces: ConnectionPieces,
  { requestHeaders }: EntryOptions,
): void {
  const { head, decision } = record
  const start = pieces.startOf(head.method, head.scheme, decision.authority || head.authority)
  const path = decision.path || head.path
  const to = out.room(FIXED_BYTES + start.length + path.length + PLACES.textLength)
  const request = open(to, out.length, ENTRY.request)
  let at = putRaw(to, request, start)
  at = putText(to, at, REQUEST.path, path)
  at = putField(to, at, REQUEST.userAgent, head, USER_AGENT)
  at = putField(to, at, REQUEST.referer, head, REFERER)
  at = putField(to, at, REQUEST.forwardedFor, head, FORWARDED_FOR)
  at = putAgain(to, at, REQUEST.requestId, idFrom, idEnd)
  at = putField(to, at, REQUEST.originalPath, head, ORIGINAL_PATH)
  at = putNumber(to, at, REQUEST.headersBytes, headBytes(head, PLACES.textLength))
  at = putNumber(to, at, REQUEST.bodyBytes, record.receivedBytes)
  out.cut(at)
  for (let i = 0; i < requestHeaders.length; i++) {
    const name = requestHeaders[i] as string
    const value = requestField(record, name)
    if (value !== undefined) out.entry(REQUEST.header, name, value)
  }
  out.end(request)
}

function putField(to: Memory, at: number, key: number, head: HeaderBlock, which: number): number {
  const place = PLACES.places[which] as number
  if (place === ABSENT) return at
  if (place === SEVERAL) return putText(to, at, key, head.get(NAMES[which] as string) as string)
  const { count, base } = head
  if (place >= count) return putAdded(to, at, key, head, place - count)
  const from = 4 * place + 2
  return putSlice(to, at, key, head.bytes, base + (head.at[from] as number), base + (head.at[from + 1] as number))
}

function putAdded(to: Memory, at: number, key: number, head: HeaderBlock, index: number): number {
  const batch = head.addedBatch(index)
  if (batch === undefined) return putText(to, at, key, head.addedValue(index))
  return putWords(to, at, key, batch.view, head.addedLine(index) + batch.valueOffset, batch.valueLength)
}

function writeResponse(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const { responseHeaders, responseTrailers } = options
  const answer = answerPiece(record.status, record.detail)
  const to = out.room(FIXED_BYTES + answer.length)
  const response = open(to, out.length, ENTRY.response)
  const at = putRaw(to, response, answer)
  out.cut(putNumber(to, at, RESPONSE.bodyBytes, record.sentBytes))
  for (let i = 0; i < responseHeaders.length; i++) {
    const name = responseHeaders[i] as string
    const value = record.responseField(name)
    if (value !== undefined) out.entry(RESPONSE.header, name, value)
  }
  for (let i = 0; i < responseTrailers.length; i++) {
    const name = responseTrailers[i] as string
    const value = record.trailers === '' ? undefined : trailerField(record.trailers, name)
    if (value !== undefined) out.entry(RESPONSE.trailer, name, value)
  }
  out.end(response)
}

function writeTags(out: WireWriter, record: Subject, tags: readonly EntryTag[]): void {
  for (let i = 0; i < tags.length; i++) {
    const { name, read } = tags[i] as EntryTag
    const value = read(record)
    if (value !== undefined) out.entry(COMMON.tag, name, typeof value === 'string' ? value : String(value))
  }
}

/** A TCPAccessLogEntry as field 1 of what is being written. */
export function writeTcpEntry(out: WireWriter, record: ConnectionRecord, { tags }: EntryOptions): void {
  const { facts, startMs, endMs, flag } = record
  const entry = out.begin(1)
  const common = out.begin(1)
  out.raw(connectionPieces(facts, TYPE.tcpConnectionEnd).whole)
  out.raw(upstreamPiece(record, undefined))
  const to = out.room(FIXED_BYTES)
  let at = putTime(to, out.length, COMMON.startTime, record.startWallMs)
  at = putSince(to, at, COMMON.lastSent, startMs, endMs)
  at = putSince(to, at, COMMON.duration, startMs, endMs)
  out.cut(putNumber(to, at, COMMON.attempts, record.tries))
  if (flag !== '') writeFlags(out, [flag])
  writeTags(out, record, tags)
  out.end(common)
  const connection = out.begin(2)
  out.number(1, record.receivedBytes)
  out.number(2, record.sentBytes)
  out.end(connection)
  out.end(entry)
}
