import type { CallRecord } from '../../call-record.ts'
import type { ConnectionRecord } from '../../connection-record.ts'
import {
  bytesKey,
  firstByte,
  type Memory,
  otherBytes,
  putSince,
  putTime,
  putWordPair,
  shortWord,
} from '../../wire/put.ts'

/** Fields of AccessLogCommon. */
const KEY = {
  startTime: bytesKey(5),
  lastReceived: bytesKey(6),
  firstUpstreamSent: bytesKey(7),
  lastUpstreamSent: bytesKey(8),
  firstUpstreamReceived: bytesKey(9),
  lastUpstreamReceived: bytesKey(10),
  firstSent: bytesKey(11),
  lastSent: bytesKey(12),
  duration: bytesKey(23),
} as const

/** What the times of a short call begin with. */
const LAST_RECEIVED = shortWord(KEY.lastReceived)
const FIRST_UPSTREAM_SENT = shortWord(KEY.firstUpstreamSent)
const LAST_UPSTREAM_SENT = shortWord(KEY.lastUpstreamSent)
const FIRST_UPSTREAM_RECEIVED = shortWord(KEY.firstUpstreamReceived)
const LAST_UPSTREAM_RECEIVED = shortWord(KEY.lastUpstreamReceived)
const FIRST_SENT = shortWord(KEY.firstSent)
const LAST_SENT = shortWord(KEY.lastSent)
/** The key has two bytes: this is of the second. */
const DURATION = shortWord(KEY.duration >>> 7)
const DURATION_START = (KEY.duration & 0x7f) | 0x80

/**
 * The times of a call, as the operators of text logs have them (../times.ts). Of most calls all are there and less than a second:
 * their places are known then, and each is two words.
 */
export function putTimes(to: Memory, from: number, record: CallRecord): number {
  const { startMs } = record
  const received = nanosOf(record.requestEndMs - startMs)
  const sent = nanosOf(record.upstreamStartMs - startMs)
  const first = nanosOf(record.responseMs - startMs)
  const last = nanosOf(record.endMs - startMs)
  if (startMs <= 0 || !record.isUpstreamAnswer || (received | sent | first | last) < 0) return putEach(to, from, record)
  const at = putTime(to, from, KEY.startTime, record.startWallMs)
  const { bytes, view } = to
  const [receivedFirst, receivedRest] = [firstByte(received), otherBytes(received)]
  const [sentFirst, sentRest] = [firstByte(sent), otherBytes(sent)]
  const [firstFirst, firstRest] = [firstByte(first), otherBytes(first)]
  const [lastFirst, lastRest] = [firstByte(last), otherBytes(last)]
  putWordPair(view, at, LAST_RECEIVED | receivedFirst, receivedRest)
  putWordPair(view, at + 8, FIRST_UPSTREAM_SENT | sentFirst, sentRest)
  if (sent > received) putWordPair(view, at + 16, LAST_UPSTREAM_SENT | sentFirst, sentRest)
  else putWordPair(view, at + 16, LAST_UPSTREAM_SENT | receivedFirst, receivedRest)
  putWordPair(view, at + 24, FIRST_UPSTREAM_RECEIVED | firstFirst, firstRest)
  putWordPair(view, at + 32, LAST_UPSTREAM_RECEIVED | lastFirst, lastRest)
  putWordPair(view, at + 40, FIRST_SENT | firstFirst, firstRest)
  putWordPair(view, at + 48, LAST_SENT | lastFirst, lastRest)
  bytes[at + 56] = DURATION_START
  putWordPair(view, at + 57, DURATION | lastFirst, lastRest)
  return at + 65
}

/** -1 where it is no time of less than a second. */
function nanosOf(ms: number): number {
  return ms >= 0 && ms < 1000 ? (ms * 1e6) | 0 : -1
}

function putEach(to: Memory, from: number, record: CallRecord): number {
  const { startMs, isUpstreamAnswer, requestEndMs, upstreamStartMs, responseMs, endMs } = record
  let at = putTime(to, from, KEY.startTime, record.startWallMs)
  at = putSince(to, at, KEY.lastReceived, startMs, requestEndMs)
  at = putSince(to, at, KEY.firstUpstreamSent, startMs, upstreamStartMs)
  if (upstreamStartMs !== 0 && requestEndMs !== 0) {
    at = putSince(to, at, KEY.lastUpstreamSent, startMs, Math.max(upstreamStartMs, requestEndMs))
  }
  if (isUpstreamAnswer) {
    at = putSince(to, at, KEY.firstUpstreamReceived, startMs, responseMs)
    at = putSince(to, at, KEY.lastUpstreamReceived, startMs, endMs)
  }
  at = putSince(to, at, KEY.firstSent, startMs, responseMs)
  at = putSince(to, at, KEY.lastSent, startMs, endMs)
  return putSince(to, at, KEY.duration, startMs, endMs)
}

/** The same of a connection, as far as it has them. */
export function putConnectionTimes(to: Memory, from: number, record: ConnectionRecord): number {
  const { startMs, endMs } = record
  let at = putTime(to, from, KEY.startTime, record.startWallMs)
  at = putSince(to, at, KEY.lastSent, startMs, endMs)
  return putSince(to, at, KEY.duration, startMs, endMs)
}
