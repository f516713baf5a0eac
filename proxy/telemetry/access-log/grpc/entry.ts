import type { HeaderBlock } from '../../../stream/header-block.ts'
import type { RequestHead } from '../../../stream/message.ts'
import type { CallRecord } from '../../call-record.ts'
import { headBytes, type Subject } from '../../cel/attributes.ts'
import type { ConnectionRecord } from '../../connection-record.ts'
import { trailerField } from '../../trailer-field.ts'
import {
  bytesKey,
  close,
  HEAD_BYTES,
  type Memory,
  numberKey,
  open,
  putIp,
  putNumber,
  putRaw,
  putSlice,
  putText,
  putWords,
} from '../../wire/put.ts'
import type { WireWriter } from '../../wire/wire-writer.ts'
import type { ReadValue } from '../operator.ts'
import { requestField } from '../operators.ts'
import { COMMON, ENTRY, REQUEST, RESPONSE } from './fields.ts'
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
import { answerPiece, connectionPiece, NOTHING, TYPE, upstreamPiece, writeClient, writeConnection } from './pieces.ts'
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
const CLIENT_KEY = bytesKey(COMMON.client)
const ATTEMPTS_KEY = numberKey(COMMON.attempts)
const STREAM_ID_KEY = bytesKey(COMMON.streamId)
const METHOD_KEY = numberKey(REQUEST.method)
const PATH_KEY = bytesKey(REQUEST.path)
const USER_AGENT_KEY = bytesKey(REQUEST.userAgent)
const REFERER_KEY = bytesKey(REQUEST.referer)
const FORWARDED_FOR_KEY = bytesKey(REQUEST.forwardedFor)
const REQUEST_ID_KEY = bytesKey(REQUEST.requestId)
const ORIGINAL_PATH_KEY = bytesKey(REQUEST.originalPath)
const HEADERS_BYTES_KEY = numberKey(REQUEST.headersBytes)
const REQUEST_BYTES_KEY = numberKey(REQUEST.bodyBytes)
const SENT_BYTES_KEY = numberKey(RESPONSE.bodyBytes)

/** More than an entry takes beside its texts and pieces. */
const FIXED_BYTES = 512
const PLACES = new HeadPlaces()

/** An HTTPAccessLogEntry as field 1 of what is being written. */
export function writeHttpEntry(out: WireWriter, record: CallRecord, options: EntryOptions): void {
  const { head, decision, status, detail } = record
  PLACES.find(head)
  const { clientAddress } = decision
  const connection = connectionPiece(record.facts)
  const authority = decision.authority || head.authority
  const path = decision.path || head.path
  const upstream = upstreamPiece(record, decision.route, status, detail)
  const isAsBefore = status === upstream.status && detail === upstream.detail
  const place = isAsBefore ? upstream.withAnswer : upstream.piece
  const answer = isAsBefore ? NOTHING : answerPiece(status, detail)
  const { facts } = record
  const tellsClient = clientAddress === ''
  const template = connection.template(facts, head.scheme, authority, versionOf(head), tellsClient, path, place)
  const method = connection.numberOf(head.method)
  const headersBytes = headBytes(head)
  const textLength = clientAddress.length + path.length + 2 * headersBytes
  const to = out.room(FIXED_BYTES + template.withPlace.length + place.length + answer.length + textLength)
  const entry = out.length + HEAD_BYTES
  let at: number
  if (!template.fill(record, PLACES.places[REQUEST_ID] as number, method, headersBytes)) {
    at = putParts(to, open(to, out.length, ENTRY_KEY), record, template.ofConnection, method, headersBytes)
    at = putRaw(to, at, place)
  } else if (place === template.place) at = putRaw(to, out.length, template.withPlace)
  else at = putRaw(to, putRaw(to, out.length, template.bytes), place)
  if (!isAsBefore) at = putRaw(to, at, answer)
  if (clientAddress !== '') at = putClient(to, at, clientAddress)
  if (path !== template.path || PLACES.textCount > 0) at = putTexts(to, at, head, path, path !== template.path)
  out.cut(at)
  writeRest(out, record, options)
  out.end(entry)
}

function versionOf(head: RequestHead): number {
  if (head.isHttp2) return HTTP_VERSION.http2
  return head.minorVersion === 0 ? HTTP_VERSION.http10 : HTTP_VERSION.http11
}

/** What a template has of a call that is like most, for another. */
function putParts(
  to: Memory,
  from: number,
  record: CallRecord,
  ofConnection: Uint8Array,
  method: number,
  headersBytes: number,
): number {
  const { head } = record
  const common = open(to, putRaw(to, from, ofConnection), COMMON_KEY)
  let at = putTimes(to, common, record)
  at = putNumber(to, at, ATTEMPTS_KEY, record.tries)
  at = putField(to, at, STREAM_ID_KEY, head, REQUEST_ID)
  close(to, common, at)
  const request = open(to, at, REQUEST_KEY)
  at = putNumber(to, request, METHOD_KEY, method)
  at = putField(to, at, REQUEST_ID_KEY, head, REQUEST_ID)
  at = putNumber(to, at, HEADERS_BYTES_KEY, headersBytes)
  at = putNumber(to, at, REQUEST_BYTES_KEY, record.receivedBytes)
  close(to, request, at)
  const response = open(to, at, RESPONSE_KEY)
  at = putNumber(to, response, SENT_BYTES_KEY, record.sentBytes)
  close(to, response, at)
  return at
}

function putClient(to: Memory, from: number, clientAddress: string): number {
  const common = open(to, from, COMMON_KEY)
  const at = putIp(to, common, CLIENT_KEY, clientAddress)
  close(to, common, at)
  return at
}

function putTexts(to: Memory, from: number, head: HeaderBlock, path: string, tellsPath: boolean): number {
  const request = open(to, from, REQUEST_KEY)
  let at = tellsPath ? putText(to, request, PATH_KEY, path) : request
  at = putField(to, at, USER_AGENT_KEY, head, USER_AGENT)
  at = putField(to, at, REFERER_KEY, head, REFERER)
  at = putField(to, at, FORWARDED_FOR_KEY, head, FORWARDED_FOR)
  at = putField(to, at, ORIGINAL_PATH_KEY, head, ORIGINAL_PATH)
  close(to, request, at)
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
  out.raw(upstreamPiece(record, undefined, 0, '').piece)
  const common = out.begin(ENTRY.common)
  writeConnection(out, facts, TYPE.tcpConnectionEnd)
  writeClient(out, facts)
  const to = out.room(FIXED_BYTES)
  const at = putConnectionTimes(to, out.length, record)
  out.cut(putNumber(to, at, ATTEMPTS_KEY, record.tries))
  if (flag !== '') writeFlags(out, [flag])
  writeTags(out, record, tags)
  out.end(common)
  const connection = out.begin(2)
  out.number(1, record.receivedBytes)
  out.number(2, record.sentBytes)
  out.end(connection)
  out.end(entry)
}
