import type { HeaderBlock } from '../../../stream/header-block.ts'
import type { RequestHead } from '../../../stream/message.ts'
import type { CallRecord } from '../../call-record.ts'
import { headBytes, type Subject } from '../../cel/attributes.ts'
import type { ConnectionRecord } from '../../connection-record.ts'
import { trailerField } from '../../trailer-field.ts'
import {
  bytesKey,
  close,
  type Memory,
  numberKey,
  open,
  putAgain,
  putIp,
  putNumber,
  putPiece,
  putSlice,
  putText,
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
import {
  answerPiece,
  connectionStart,
  ENTRY,
  NOTHING,
  TYPE,
  upstreamPiece,
  writeClient,
  writeConnection,
} from './pieces.ts'
import { putConnectionTimes, putTimes } from './times.ts'

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
const ENTRY_KEY = bytesKey(1)
const COMMON_KEY = bytesKey(ENTRY.common)
const REQUEST_KEY = bytesKey(ENTRY.request)
const RESPONSE_KEY = bytesKey(ENTRY.response)
const COMMON = {
  client: bytesKey(2),
  tag: 22,
  attempts: numberKey(24),
  streamId: bytesKey(26),
} as const
const REQUEST = {
  method: numberKey(1),
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

/** Of a key of a field beyond 15. */
const TWO_BYTES = 2
/** More than an entry takes beside its texts and pieces. */
const FIXED_BYTES = 512
const PLACES = new HeadPlaces()
/** Where the request's identifier was put, without its key: an entry has it twice. The end is not behind the beginning where there is none. */
let idFrom = 0
let idEnd = 0

/** An HTTPAccessLogEntry as field 1 of what is being written. */
export function writeHttpEntry(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const { head, decision } = record
  PLACES.find(head)
  const { clientAddress } = decision
  const connection = connectionStart(record.facts)
  const authority = decision.authority || head.authority
  const start = connection.pieceOf(record.facts, head.scheme, authority, versionOf(head), clientAddress === '')
  const { status, detail } = record
  const upstream = upstreamPiece(record, decision.route, status, detail)
  const isUsual = status === upstream.status && detail === upstream.detail
  const place = isUsual ? upstream.withAnswer : upstream.piece
  const answer = isUsual ? NOTHING : answerPiece(status, detail)
  const path = decision.path || head.path
  const textLength = clientAddress.length + path.length + 2 * head.textLength
  const pieceLength = start.length + place.length + answer.length
  const to = out.room(FIXED_BYTES + pieceLength + textLength)
  const entry = open(to, out.length, ENTRY_KEY)
  let at = putPiece(to, entry, start)
  at = putPiece(to, at, place)
  if (!isUsual) at = putPiece(to, at, answer)
  at = putCommon(to, at, record, clientAddress)
  at = putRequest(to, at, record, connection.numberOf(head.method), path)
  at = putResponse(to, at, record.sentBytes)
  out.cut(at)
  writeRest(out, record, options)
  out.end(entry)
}

function versionOf(head: RequestHead): number {
  if (head.isHttp2) return HTTP_VERSION.http2
  return head.minorVersion === 0 ? HTTP_VERSION.http10 : HTTP_VERSION.http11
}

function putCommon(to: Memory, start: number, record: CallRecord, clientAddress: string): number {
  const common = open(to, start, COMMON_KEY)
  let at = clientAddress === '' ? common : putIp(to, common, COMMON.client, clientAddress)
  at = putTimes(to, at, record)
  at = putNumber(to, at, COMMON.attempts, record.tries)
  idFrom = at + TWO_BYTES
  at = putField(to, at, COMMON.streamId, record.head, REQUEST_ID)
  idEnd = at
  close(to, common, at)
  return at
}

function putRequest(to: Memory, start: number, record: CallRecord, method: number, path: string): number {
  const { head } = record
  const request = open(to, start, REQUEST_KEY)
  let at = putNumber(to, request, REQUEST.method, method)
  at = putText(to, at, REQUEST.path, path)
  at = putField(to, at, REQUEST.userAgent, head, USER_AGENT)
  at = putField(to, at, REQUEST.referer, head, REFERER)
  at = putField(to, at, REQUEST.forwardedFor, head, FORWARDED_FOR)
  at = putAgain(to, at, REQUEST.requestId, idFrom, idEnd)
  at = putField(to, at, REQUEST.originalPath, head, ORIGINAL_PATH)
  at = putNumber(to, at, REQUEST.headersBytes, headBytes(head))
  at = putNumber(to, at, REQUEST.bodyBytes, record.receivedBytes)
  close(to, request, at)
  return at
}

function putResponse(to: Memory, start: number, sentBytes: number): number {
  const response = open(to, start, RESPONSE_KEY)
  const at = putNumber(to, response, RESPONSE.bodyBytes, sentBytes)
  close(to, response, at)
  return at
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

/** What most entries have nothing of, as more parts of the kinds that are there. */
function writeRest(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const { flags } = record
  const { tags, requestHeaders } = options
  if (flags.length > 0 || tags.length > 0) {
    const common = out.begin(ENTRY.common)
    writeFlags(out, flags)
    writeTags(out, record, tags)
    out.end(common)
  }
  if (requestHeaders.length > 0) {
    const request = out.begin(ENTRY.request)
    for (const name of requestHeaders) {
      const value = requestField(record, name)
      if (value !== undefined) out.entry(REQUEST.header, name, value)
    }
    out.end(request)
  }
  if (options.responseHeaders.length > 0 || options.responseTrailers.length > 0) writeAnswer(out, record, options)
}

function writeAnswer(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const response = out.begin(ENTRY.response)
  for (const name of options.responseHeaders) {
    const value = record.responseField(name)
    if (value !== undefined) out.entry(RESPONSE.header, name, value)
  }
  for (const name of options.responseTrailers) {
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
  const { facts, flag } = record
  const entry = out.begin(1)
  out.raw(upstreamPiece(record, undefined, 0, '').piece.bytes)
  const common = out.begin(ENTRY.common)
  writeConnection(out, facts, TYPE.tcpConnectionEnd)
  writeClient(out, facts)
  const to = out.room(FIXED_BYTES)
  const at = putConnectionTimes(to, out.length, record)
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
