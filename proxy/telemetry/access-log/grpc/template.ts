import { wordAt } from '../../../../lib/words.ts'
import type { HeaderBlock } from '../../../stream/header-block.ts'
import type { CallRecord } from '../../call-record.ts'
import { bytesKey, firstByte, HEAD_BYTES, numberKey, otherBytes } from '../../wire/put.ts'
import { COMMON, ENTRY, REQUEST, RESPONSE } from './fields.ts'

/*
 * Most calls are alike: an upstream answered within a second, and the request is known by an identifier of 36 characters. What
 * their entries say beside texts takes the same bytes each time, so these lie ready, with all keys and lengths, and of each
 * call only its numbers and its identifier are put in.
 *
 * The bytes are changed as words of four. A number is a varint of five bytes, or of seven where there are two to fill: longer than
 * it need be, which readers take (protobuf.dev, "Encoding", "Base 128 Varints"). Its first byte is the last one of a word, behind three
 * bytes of keys and lengths.
 */

const ID_BYTES = 36
/** Of each of four bytes. */
const HIGH_BITS = 0x8080_8080 | 0
/** Of the last byte of a word: a varint goes on in the next. */
const GOES_ON = 0x8000_0000 | 0
/** The end of a varint that went on. */
const REST = [0x80, 0] as const
/** Fields of a Timestamp and a Duration. */
const [SECONDS, NANOS] = [numberKey(1), numberKey(2)]
/** Bytes of a message of one number (its key and five bytes), and of a Timestamp whose seconds take seven. */
const [SHORT, TIME] = [6, 14]
/** Numbers above are told in another way. */
const MOST = 0x7fff_ffff
const MOST_ATTEMPTS = 0x7f

/** Where, in bytes, each part has its word with what is before its number; the number ends with the next word. */
const AT = {
  common: 8,
  id: 16,
  attempts: 52,
  duration: 56,
  seconds: 64,
  nanos: 72,
  lastReceived: 80,
  firstUpstreamSent: 88,
  lastUpstreamSent: 96,
  firstUpstreamReceived: 104,
  lastUpstreamReceived: 112,
  firstSent: 120,
  lastSent: 128,
  request: 136,
  idAgain: 144,
  headersBytes: 180,
  requestBytes: 188,
  response: 196,
  end: 204,
} as const
/** The entry's key is the last byte of the first word. */
const FIRST_BYTE = 3

const READY = ready()
/** What words have before the first bytes of their numbers. */
const [DURATION, START_SECONDS, START_NANOS] = [before(AT.duration), before(AT.seconds), before(AT.nanos)]
const [LAST_RECEIVED, FIRST_UPSTREAM_SENT] = [before(AT.lastReceived), before(AT.firstUpstreamSent)]
const [LAST_UPSTREAM_SENT, FIRST_UPSTREAM_RECEIVED] = [before(AT.lastUpstreamSent), before(AT.firstUpstreamReceived)]
const [LAST_UPSTREAM_RECEIVED, FIRST_SENT, LAST_SENT] = [
  before(AT.lastUpstreamReceived),
  before(AT.firstSent),
  before(AT.lastSent),
]
const [HEADERS_BYTES, REQUEST_BYTES, SENT_BYTES] = [
  before(AT.headersBytes),
  before(AT.requestBytes),
  before(AT.response),
]
/** Without the number of attempts, which is its third byte. */
const ATTEMPTS = READY.readInt32LE(AT.attempts)

function before(at: number): number {
  return READY.readInt32LE(at) & 0xff_ffff
}

function ready(): Buffer {
  const bytes = Buffer.alloc(AT.end)
  const head = (key: number, length: number) => [key, (length & 0x7f) | 0x80, (length >>> 7) | 0x80, 0x80, 0]
  const long = (key: number) => [(key & 0x7f) | 0x80, key >>> 7]
  bytes[FIRST_BYTE] = bytesKey(1)
  bytes.set(head(bytesKey(ENTRY.common), AT.request - AT.common - HEAD_BYTES), AT.common)
  bytes.set([...long(bytesKey(COMMON.streamId)), ID_BYTES], AT.id - 3)
  bytes.set(long(numberKey(COMMON.attempts)), AT.attempts)
  bytes.set([...long(bytesKey(COMMON.duration)), SHORT, NANOS], AT.duration - 1)
  bytes.set([bytesKey(COMMON.startTime), TIME, SECONDS], AT.seconds)
  bytes.set([...REST, NANOS], AT.nanos)
  bytes.set([bytesKey(COMMON.lastReceived), SHORT, NANOS], AT.lastReceived)
  bytes.set([bytesKey(COMMON.firstUpstreamSent), SHORT, NANOS], AT.firstUpstreamSent)
  bytes.set([bytesKey(COMMON.lastUpstreamSent), SHORT, NANOS], AT.lastUpstreamSent)
  bytes.set([bytesKey(COMMON.firstUpstreamReceived), SHORT, NANOS], AT.firstUpstreamReceived)
  bytes.set([bytesKey(COMMON.lastUpstreamReceived), SHORT, NANOS], AT.lastUpstreamReceived)
  bytes.set([bytesKey(COMMON.firstSent), SHORT, NANOS], AT.firstSent)
  bytes.set([bytesKey(COMMON.lastSent), SHORT, NANOS], AT.lastSent)
  bytes.set(head(bytesKey(ENTRY.request), AT.response - AT.request - HEAD_BYTES), AT.request)
  // Its length has a byte more than it needs.
  bytes.set([bytesKey(REQUEST.requestId), ID_BYTES | 0x80, 0], AT.idAgain - 3)
  bytes.set([numberKey(REQUEST.method), 0, numberKey(REQUEST.headersBytes)], AT.headersBytes)
  bytes.set([...REST, numberKey(REQUEST.bodyBytes)], AT.requestBytes)
  bytes.set([bytesKey(ENTRY.response), SHORT, numberKey(RESPONSE.bodyBytes)], AT.response)
  return bytes
}

/** What entries of one connection begin with. */
export class EntryTemplate {
  /** The entry from its key on, as far as it is ready: its length is yet to be put behind the key. */
  readonly bytes: Uint8Array
  /** The same, with `place` behind it. */
  readonly withPlace: Uint8Array
  /** The path that both tell of; '' where they tell of none. */
  readonly path: string
  /** Where the call went, as parts of an entry. */
  readonly place: Uint8Array
  readonly #words: Int32Array

  /** `ofConnection`: the parts of an entry that are the same for each of the connection's calls, which tell of `path`. */
  constructor(ofConnection: Uint8Array, path: string, place: Uint8Array) {
    const end = AT.end + ofConnection.length
    const whole = end + place.length
    // As many as whole words have.
    const memory = new Uint8Array((whole + 3) & ~3)
    memory.set(READY)
    memory.set(ofConnection, AT.end)
    memory.set(place, end)
    this.#words = new Int32Array(memory.buffer)
    this.bytes = memory.subarray(FIRST_BYTE, end)
    this.withPlace = memory.subarray(FIRST_BYTE, whole)
    this.path = path
    this.place = place
  }

  /** Of the connection alone. */
  get ofConnection(): Uint8Array {
    return this.bytes.subarray(AT.end - FIRST_BYTE)
  }

  /**
   * Puts in what is a call's own; false, with nothing to be used, where the call is another than most. `idPlace` is where its
   * identifier is (HeadPlaces), `method` a RequestMethod.
   */
  fill(record: CallRecord, idPlace: number, method: number, headersBytes: number): boolean {
    const { startMs, startWallMs, tries, receivedBytes, sentBytes } = record
    const received = nanosOf(record.requestEndMs - startMs)
    const sent = nanosOf(record.upstreamStartMs - startMs)
    const first = nanosOf(record.responseMs - startMs)
    const last = nanosOf(record.endMs - startMs)
    if (startMs <= 0 || !record.isUpstreamAnswer || (received | sent | first | last) < 0) return false
    if (tries > MOST_ATTEMPTS || receivedBytes > MOST || sentBytes > MOST) return false
    if (idPlace < 0 || !this.#fillId(record.head, idPlace)) return false
    const words = this.#words
    words[AT.attempts >> 2] = ATTEMPTS | (tries << 16)
    putNumber(words, AT.duration >> 2, DURATION, last)
    // Within 32 bits until the year 2106.
    const seconds = Math.floor(startWallMs / 1000) | 0
    putNumber(words, AT.seconds >> 2, START_SECONDS, seconds, GOES_ON)
    putNumber(words, AT.nanos >> 2, START_NANOS, ((startWallMs - (seconds >>> 0) * 1000) * 1e6) | 0)
    putNumber(words, AT.lastReceived >> 2, LAST_RECEIVED, received)
    putNumber(words, AT.firstUpstreamSent >> 2, FIRST_UPSTREAM_SENT, sent)
    putNumber(words, AT.lastUpstreamSent >> 2, LAST_UPSTREAM_SENT, Math.max(sent, received))
    putNumber(words, AT.firstUpstreamReceived >> 2, FIRST_UPSTREAM_RECEIVED, first)
    putNumber(words, AT.lastUpstreamReceived >> 2, LAST_UPSTREAM_RECEIVED, last)
    putNumber(words, AT.firstSent >> 2, FIRST_SENT, first)
    putNumber(words, AT.lastSent >> 2, LAST_SENT, last)
    putNumber(words, AT.headersBytes >> 2, HEADERS_BYTES | (method << 8), headersBytes, GOES_ON)
    putNumber(words, AT.requestBytes >> 2, REQUEST_BYTES, receivedBytes)
    putNumber(words, AT.response >> 2, SENT_BYTES, sentBytes)
    return true
  }

  #fillId(head: HeaderBlock, place: number): boolean {
    const { count } = head
    if (place < count) return head.valueLength(place) === ID_BYTES && this.#fillReceivedId(head, place)
    const batch = head.addedBatch(place - count)
    if (batch === undefined || batch.valueLength !== ID_BYTES) return false
    const { view } = batch
    const from = head.addedLine(place - count) + batch.valueOffset
    // Most identifiers were made here: the view takes one load where bytes take four.
    for (let i = 0; i < ID_BYTES >> 2; i++) this.#putIdWord(i, view.getInt32(from + 4 * i, true))
    return true
  }

  #fillReceivedId({ bytes, base, at }: HeaderBlock, place: number): boolean {
    const from = base + (at[4 * place + 2] as number)
    let all = 0
    for (let i = 0; i < ID_BYTES >> 2; i++) {
      const word = wordAt(bytes, from + 4 * i)
      all |= word
      this.#putIdWord(i, word)
    }
    // What is no ASCII may be no text.
    return (all & HIGH_BITS) === 0
  }

  /** An entry has the identifier twice. */
  #putIdWord(i: number, word: number): void {
    const words = this.#words
    words[(AT.id >> 2) + i] = word
    words[(AT.idAgain >> 2) + i] = word
  }
}

/** `at` in words; `more` goes to the number's last byte. */
function putNumber(words: Int32Array, at: number, before: number, value: number, more = 0): void {
  words[at] = before | firstByte(value)
  words[at + 1] = otherBytes(value) | more
}

/** -1 where it is no time of less than a second. */
function nanosOf(ms: number): number {
  return ms >= 0 && ms < 1000 ? (ms * 1e6) | 0 : -1
}
