import { isUtf8 } from 'node:buffer'
import { putLatin1 } from '../../../lib/latin1.ts'
import { copyBytes, viewOf } from '../../../lib/words.ts'

/*
 * Parts of messages in protobuf's wire format (protobuf.dev, "Encoding"), put into memory that has room for them: each function
 * takes where the part begins and returns where it ended. `key` is a field's number with its wire type. A WireWriter looks for
 * room at each part, which is easier and takes longer.
 */

/** Where messages are put together. */
export class Memory {
  readonly bytes: Buffer
  /** Of the same bytes. */
  readonly view: DataView

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.view = viewOf(this.bytes)
  }
}

/** Up to so many bytes a loop beats a call into the runtime, which takes as long for few as for many. */
const LOOP_BYTES = 16
/** Lengths of messages are put when these are over, into places of so many bytes (varints may be longer than they need be). */
const LENGTH_BYTES = 4
const NO_ASCII = /[^\x00-\x7f]/g
/** Of each of four bytes. */
const HIGH_BITS = 0x8080_8080 | 0
const BITS_32 = 0x1_0000_0000

/** Of fields up to 2047. */
export const numberKey = (field: number): number => field << 3
/** Of eight bytes. */
export const fixed64Key = (field: number): number => (field << 3) | 1
/** Of texts, bytes and messages within. */
export const bytesKey = (field: number): number => (field << 3) | 2

// Of a Timestamp or Duration, of an Address, and of a SocketAddress.
const SECONDS_KEY = numberKey(1)
const NANOS_KEY = numberKey(2)
const SOCKET_KEY = bytesKey(1)
const IP_KEY = bytesKey(2)

/** Begins a message within; close() takes what this returns, where the message's own parts begin. */
export function open(to: Memory, at: number, key: number): number {
  return putKey(to.bytes, at, key) + LENGTH_BYTES
}

/** Ends a message that has less than 256 MiB. */
export function close({ bytes }: Memory, start: number, end: number): void {
  const length = end - start
  bytes[start - 4] = (length & 0x7f) | 0x80
  bytes[start - 3] = ((length >>> 7) & 0x7f) | 0x80
  bytes[start - 2] = ((length >>> 14) & 0x7f) | 0x80
  bytes[start - 1] = length >>> 21
}

/** A number that is no negative one; 0 is left out, as its default. */
export function putNumber({ bytes }: Memory, at: number, key: number, value: number): number {
  return value <= 0 ? at : putVarint(bytes, putKey(bytes, at, key), value)
}

export function putDouble({ bytes, view }: Memory, at: number, key: number, value: number): number {
  const start = putKey(bytes, at, key)
  view.setFloat64(start, value, true)
  return start + 8
}

/** Milliseconds as a fixed64 of nanoseconds, as fine as clocks are: microseconds. In two halves: their product is no safe integer. */
export function putNanoseconds({ bytes, view }: Memory, at: number, key: number, ms: number): number {
  const start = putKey(bytes, at, key)
  const micros = Math.round(ms * 1000)
  const low = (micros % BITS_32) * 1000
  view.setUint32(start, low % BITS_32, true)
  view.setUint32(start + 4, Math.floor(micros / BITS_32) * 1000 + Math.floor(low / BITS_32), true)
  return start + 8
}

/** Whole parts, written elsewhere. */
export function putRaw({ bytes }: Memory, at: number, parts: Uint8Array): number {
  const { length } = parts
  if (length > LOOP_BYTES) bytes.set(parts, at)
  else for (let i = 0; i < length; i++) bytes[at + i] = parts[i] as number
  return at + length
}

export function putBytes(to: Memory, at: number, key: number, value: Uint8Array): number {
  const { bytes } = to
  return putRaw(to, putVarint(bytes, putKey(bytes, at, key), value.length), value)
}

/** A text of bytes, one character each. What is no UTF-8 has `!` for each byte beyond ASCII, as in Envoy. */
export function putText(to: Memory, at: number, key: number, text: string): number {
  const { bytes } = to
  const { length } = text
  const start = putVarint(bytes, putKey(bytes, at, key), length)
  if (length > LOOP_BYTES) putLatin1(bytes, start, text)
  else for (let i = 0; i < length; i++) bytes[start + i] = text.charCodeAt(i)
  makeUtf8(to, start, start + length)
  return start + length
}

/** As putText(), of a text that lies in other memory. */
export function putSlice(to: Memory, at: number, key: number, source: Buffer, from: number, end: number): number {
  const { bytes } = to
  const length = end - from
  const start = putVarint(bytes, putKey(bytes, at, key), length)
  if (length > 2 * LOOP_BYTES) source.copy(bytes, start, from, end)
  else for (let i = 0; i < length; i++) bytes[start + i] = source[from + i] as number
  makeUtf8(to, start, start + length)
  return start + length
}

function makeUtf8({ bytes, view }: Memory, start: number, end: number): void {
  let all = 0
  let i = start
  for (; i + 4 <= end; i += 4) all |= view.getInt32(i)
  for (; i < end; i++) all |= bytes[i] as number
  if ((all & HIGH_BITS) === 0) return
  const part = bytes.subarray(start, end)
  if (!isUtf8(part)) putLatin1(bytes, start, part.toString('latin1').replace(NO_ASCII, '!'))
}

/** envoy.config.core.v3.Address of a socket whose port nobody knows. */
export function putIp(to: Memory, at: number, key: number, ip: string): number {
  const { bytes } = to
  const start = putKey(bytes, at, key)
  const { length } = ip
  bytes[start] = length + 4
  bytes[start + 1] = SOCKET_KEY
  bytes[start + 2] = length + 2
  return putText(to, start + 3, IP_KEY, ip)
}

/** How long after the start something happened, as a google.protobuf.Duration, where it did. */
export function putSince(to: Memory, at: number, key: number, startMs: number, atMs: number): number {
  return atMs === 0 || atMs < startMs ? at : putTime(to, at, key, atMs - startMs)
}

/** A Duration of less than a second. */
export function putShort({ bytes }: Memory, at: number, key: number, nanos: number): number {
  const start = putKey(bytes, at, key) + 1
  const end = nanos > 0 ? putNanosField(bytes, start, nanos) : start
  bytes[start - 1] = end - start
  return end
}

/**
 * A text or message that was put before, from `from` to `end` without its key, once more under another; nothing where `end` is not
 * behind `from`.
 */
export function putAgain({ bytes, view }: Memory, at: number, key: number, from: number, end: number): number {
  if (end <= from) return at
  const start = putKey(bytes, at, key)
  copyBytes(view, from, view, start, end - from)
  return start + end - from
}

/** A text of ASCII that lies in other memory. */
export function putWords(
  { bytes, view }: Memory,
  at: number,
  key: number,
  source: DataView,
  from: number,
  length: number,
): number {
  const start = putVarint(bytes, putKey(bytes, at, key), length)
  copyBytes(source, from, view, start, length)
  return start + length
}

/** A Timestamp or Duration (google.protobuf) of milliseconds, none of them negative. */
export function putTime(to: Memory, at: number, key: number, ms: number): number {
  if (ms < 1000) return putShort(to, at, key, (ms * 1e6) | 0)
  const { bytes } = to
  // It has less than 128 bytes, so that its length is one.
  const start = putKey(bytes, at, key) + 1
  const seconds = Math.floor(ms / 1000)
  bytes[start] = SECONDS_KEY
  let end = putVarint(bytes, start + 1, seconds)
  const nanos = ((ms - seconds * 1000) * 1e6) | 0
  if (nanos > 0) end = putNanosField(bytes, end, nanos)
  bytes[start - 1] = end - start
  return end
}

/** Three to five bytes, whatever would do: without a loop. */
function putNanosField(bytes: Buffer, start: number, nanos: number): number {
  bytes[start] = NANOS_KEY
  const at = start + 1
  bytes[at] = (nanos & 0x7f) | 0x80
  bytes[at + 1] = ((nanos >>> 7) & 0x7f) | 0x80
  if (nanos < 0x20_0000) {
    bytes[at + 2] = nanos >>> 14
    return at + 3
  }
  bytes[at + 2] = ((nanos >>> 14) & 0x7f) | 0x80
  if (nanos < 0x1000_0000) {
    bytes[at + 3] = nanos >>> 21
    return at + 4
  }
  bytes[at + 3] = ((nanos >>> 21) & 0x7f) | 0x80
  bytes[at + 4] = nanos >>> 28
  return at + 5
}

function putKey(bytes: Buffer, at: number, key: number): number {
  if (key < 0x80) {
    bytes[at] = key
    return at + 1
  }
  bytes[at] = (key & 0x7f) | 0x80
  bytes[at + 1] = key >>> 7
  return at + 2
}

function putVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value
  let end = at
  while (rest > 0x7fff_ffff) {
    bytes[end++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  while (rest > 0x7f) {
    bytes[end++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[end++] = rest
  return end
}
