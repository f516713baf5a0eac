import type { CallRecord } from '../../call-record.ts'
import type { ConnectionRecord } from '../../connection-record.ts'
import { bytesKey, type Memory, putSince, putTime } from '../../wire/put.ts'
import { COMMON } from './fields.ts'

const KEY = {
  startTime: bytesKey(COMMON.startTime),
  lastReceived: bytesKey(COMMON.lastReceived),
  firstUpstreamSent: bytesKey(COMMON.firstUpstreamSent),
  lastUpstreamSent: bytesKey(COMMON.lastUpstreamSent),
  firstUpstreamReceived: bytesKey(COMMON.firstUpstreamReceived),
  lastUpstreamReceived: bytesKey(COMMON.lastUpstreamReceived),
  firstSent: bytesKey(COMMON.firstSent),
  lastSent: bytesKey(COMMON.lastSent),
  duration: bytesKey(COMMON.duration),
} as const

/** The times of a call, as the operators of text logs have them (../times.ts). */
export function putTimes(to: Memory, from: number, record: CallRecord): number {
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
