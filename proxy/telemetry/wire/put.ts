import { isUtf8 } from 'node:buffer'
import { putLatin1 } from '../../../lib/latin1.ts'
import { copyBytes, viewOf } from '../../../lib/words.ts'

/*
 * Parts of messages in protobuf's wire format (protobuf.dev, "Encoding"), put into memory that has room for them: each function
 * takes where the part begins and returns where it ended. `key` is a field's number with its wire type. A WireWriter looks for
 * room at each part, which is easier and takes longer.
 */

/** Where messages are put together, or parts of them are kept. */
export class Memory {
  readonly bytes: Buffer
  /** Of the same bytes. */
  readonly view: DataView
  readonly length: number

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.length = bytes.length
    this.view = viewOf(bytes)
  }

  static of(size: number): Memory {
    return new Memory(Buffer.allocUnsafeSlow(size))
  }
}

/** Up to so many bytes a loop beats a call into the runtime, which takes as long for few as for many. */
const LOOP_BYTES = 16
/** Lengths of messages are put when these are over, into places of so many bytes (varints may be longer than they need be). */
const LENGTH_BYTES = 4
/** Of a message within, before its parts: a key of one byte, and the length. */
export const HEAD_BYTES = 1 + LENGTH_BYTES
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
/** Behind the key of a time of seconds: its length, and the key of its first part. */
const TIME_START = (12 << 8) | (SECONDS_KEY << 16)
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
export function putTime({ bytes, view }: Memory, at: number, key: number, ms: number): number {
  // Its length is put with what follows: the key's last byte begins the first word.
  let start = at
  if (key >= 0x80) bytes[start++] = (key & 0x7f) | 0x80
  const lastOfKey = key < 0x80 ? key : key >>> 7
  if (ms < 1000) {
    const nanos = (ms * 1e6) | 0
    putWordPair(view, start, shortWord(lastOfKey) | firstByte(nanos), otherBytes(nanos))
    return start + 8
  }
  // Within 32 bits until the year 2106.
  const seconds = Math.floor(ms / 1000) | 0
  const nanos = ((ms - (seconds >>> 0) * 1000) * 1e6) | 0
  putWordPair(view, start, lastOfKey | TIME_START | firstByte(seconds), otherBytes(seconds))
  putWordPair(view, start + 6, (otherBytes(seconds) >>> 16) | (NANOS_KEY << 16) | firstByte(nanos), otherBytes(nanos))
  return start + 14
}

/*
 * Times have their parts as varints of five bytes, whatever would do: without a branch, and put as words. The first one goes to the
 * end of a word, behind the key and length of a time of less than a second, or what else it has before it.
 */

export const shortWord = (key: number): number => key | (6 << 8) | (NANOS_KEY << 16)
export const firstByte = (value: number): number => ((value & 0x7f) | 0x80) << 24
export const otherBytes = (value: number): number =>
  ((value >>> 7) & 0x7f) |
  ((value >>> 6) & 0x7f00) |
  ((value >>> 5) & 0x7f_0000) |
  ((value >>> 4) & 0x0f00_0000) |
  0x0080_8080

/** Words are given whole: where a call has to come first to find one, the runtime does not see that this is a view. */
export function putWordPair(view: DataView, at: number, first: number, second: number): void {
  view.setInt32(at, first, true)
  view.setInt32(at + 4, second, true)
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
