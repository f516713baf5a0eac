import { copyBytes, equalBytes, viewOf } from '../../../lib/words.ts'
import type { ByteSink } from './byte-sink.ts'
import { DEFAULT_TABLE_BYTES, ENTRY_OVERHEAD, ENTRY_STRIDE } from './dynamic-table.ts'
import { EncoderTable } from './encoder-table.ts'
import { encodeHuffman, huffmanLength } from './huffman-encode.ts'
import { POLICY, SHORT_COOKIE_BYTES } from './indexing-policy.ts'
import { writeInteger } from './integer.ts'
import { findName, isName, POLICY_OF, STATIC_ENTRIES_OF, STATIC_INDEX_OF } from './known-names.ts'
import { STATIC_ENTRIES, STATIC_LINES } from './static-lines.ts'
import { STATIC_COUNT, STATIC_FIELDS } from './static-table.ts'
import { copyLower, hashBytes, hashName } from './words.ts'

/** Index of `:status` in the static table by status from 200 to 599, 0 where it has none with that value. */
const STATUS_INDEX = Uint8Array.from({ length: 400 }, (_, i) =>
  Math.max(0, STATIC_FIELDS.findIndex(([name, value]) => name === ':status' && value === String(200 + i)) + 1),
)
/** A field of `:status` to put the digits of any other into. */
const STATUS_DIGITS = ':status'.length
const statusBytes = Buffer.from(':status000', 'latin1')
const statusView = viewOf(statusBytes)

/** The buffer that a field lay in last: most come from the same, and a view of it is made once. */
let lastBytes: Buffer = statusBytes
let lastView = statusView

/** Room for the integers of one field: the index and two lengths. */
const INTEGERS_BYTES = 18
/** Hashes of fields seen once that are remembered. */
const SEEN = 128
const DIGIT_0 = 48

/** Texts up to this length are copied by a loop, which beats a call into the runtime. */
const LOOP_CHARS = 32

export interface EncoderOptions {
  /**
   * Whether strings are written in Huffman code when that is shorter. Not by default: for a request of 12 fields it saves
   * 31 of 130 bytes, and costs 0.8 us here and 0.3 us at our own decoder, where sending and receiving a byte costs
   * next to nothing (bench/micro/hpack.ts).
   */
  huffman?: boolean
  /**
   * Whether a field is added to the table when it is met for the first time. If not, it is when it is met again not long
   * after: fields that are different each time then never drive out those that are not.
   */
  indexAtFirstSight?: boolean
}

/**
 * Encodes the header blocks of one direction of a connection (RFC 7541 3). Per block: `begin`, then the fields in
 * their order, pseudo-header fields first.
 */
export class HpackEncoder {
  readonly #table: EncoderTable
  readonly #huffman: boolean
  readonly #seen: Int32Array | undefined
  /** The sizes that the next block has to announce, the smallest and the last one; -1 for none. */
  #smallestBytes = -1
  #lastBytes = -1

  /** `maxTableBytes` is what the peer allows until its SETTINGS come. */
  constructor(maxTableBytes = DEFAULT_TABLE_BYTES, options: EncoderOptions = {}) {
    this.#table = new EncoderTable(DEFAULT_TABLE_BYTES, Math.min(maxTableBytes, DEFAULT_TABLE_BYTES))
    this.#huffman = options.huffman ?? false
    this.#seen = options.indexAtFirstSight === true ? undefined : new Int32Array(SEEN)
  }

  /**
   * The peer's SETTINGS_HEADER_TABLE_SIZE changed. Said at the start of the next block (RFC 7541 4.2), and never more
   * than 4096 is used: a larger table finds little more, and is ours to keep for every connection.
   */
  setMaxTableBytes(bytes: number): void {
    const used = Math.min(bytes, DEFAULT_TABLE_BYTES)
    if (used === (this.#lastBytes < 0 ? this.#table.maxBytes : this.#lastBytes)) return
    this.#lastBytes = used
    if (this.#smallestBytes < 0 || used < this.#smallestBytes) this.#smallestBytes = used
  }

  /** Grows with every change of the table: as long as it does not, indexes mean the same. */
  get tableChanges(): number {
    return this.#table.changes
  }

  /** Starts a block: writes the table-size updates that are due. */
  begin(out: ByteSink): void {
    this.#table.begin()
    if (this.#lastBytes < 0) return
    out.reserve(INTEGERS_BYTES)
    if (this.#smallestBytes < this.#lastBytes) this.#resize(out, this.#smallestBytes)
    this.#resize(out, this.#lastBytes)
    this.#smallestBytes = -1
    this.#lastBytes = -1
  }

  #resize(out: ByteSink, bytes: number): void {
    this.#table.resize(bytes)
    out.end = writeInteger(out.bytes, out.end, 0x20, 0x1f, bytes)
  }

  /** `:status`, of three digits. */
  status(out: ByteSink, status: number): void {
    const index = status >= 200 && status < 600 ? (STATUS_INDEX[status - 200] as number) : 0
    if (index > 0) {
      out.reserve(1)
      out.bytes[out.end++] = 0x80 | index
      return
    }
    statusBytes[STATUS_DIGITS] = DIGIT_0 + ((status / 100) | 0)
    statusBytes[STATUS_DIGITS + 1] = DIGIT_0 + (((status / 10) | 0) % 10)
    statusBytes[STATUS_DIGITS + 2] = DIGIT_0 + (status % 10)
    this.#field(out, statusBytes, statusView, 0, STATUS_DIGITS, STATUS_DIGITS, STATUS_DIGITS + 3, false, false)
  }

  /**
   * A field whose name and value lie in `bytes`; `view` is of the same ones, where somebody has one. `lowerCase` writes the
   * name in lower case, as HTTP/2 demands. `neverIndexed` is for a field that came so (RFC 7541 6.2.3).
   */
  bytes(
    out: ByteSink,
    bytes: Buffer,
    view: DataView | undefined,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    lowerCase: boolean,
    neverIndexed = false,
  ): void {
    if (view === undefined && bytes !== lastBytes) {
      lastBytes = bytes
      lastView = viewOf(bytes)
    }
    this.#field(out, bytes, view ?? lastView, nameStart, nameEnd, valueStart, valueEnd, lowerCase, neverIndexed)
  }

  /** The same for latin1 text. */
  text(out: ByteSink, name: string, value: string, lowerCase = false): void {
    const nameLength = name.length
    const length = nameLength + value.length
    // The text is first written where no byte of the field will come, and read from there.
    const room = length + INTEGERS_BYTES
    out.reserve(room + length)
    const { bytes, view } = out
    const start = out.end + room
    const valueStart = start + nameLength
    putText(bytes, start, name)
    putText(bytes, valueStart, value)
    this.#field(out, bytes, view, start, valueStart, valueStart, start + length, lowerCase, false)
  }

  #field(
    out: ByteSink,
    bytes: Uint8Array,
    view: DataView,
    nameStart: number,
    nameEnd: number,
    valueStart: number,
    valueEnd: number,
    lowerCase: boolean,
    neverIndexed: boolean,
  ): void {
    const nameLength = nameEnd - nameStart
    const valueLength = valueEnd - valueStart
    out.reserve(nameLength + valueLength + INTEGERS_BYTES)
    const table = this.#table
    if (!neverIndexed) {
      const age = table.guess(view, nameStart, nameLength, valueStart, valueLength, lowerCase)
      if (age >= 0) {
        out.end = writeInteger(out.bytes, out.end, 0x80, 0x7f, STATIC_COUNT + 1 + age)
        return
      }
    }
    const nameHash = hashName(view, nameStart, nameLength)
    const id = findName(view, nameStart, nameLength, nameHash)
    let policy: number = POLICY.index
    let nameIndex = 0
    if (id >= 0) {
      policy = POLICY_OF[id] as number
      if (policy === POLICY.cookie) policy = valueLength < SHORT_COOKIE_BYTES ? POLICY.never : POLICY.index
      // A name that is to keep its capitals is none of the static table's.
      if (lowerCase || isName(view, nameStart, id)) nameIndex = STATIC_INDEX_OF[id] as number
    }
    if (neverIndexed) policy = POLICY.never
    if (policy !== POLICY.never && nameIndex > 0) {
      const index = staticMatch(view, valueStart, valueLength, nameIndex, STATIC_ENTRIES_OF[id] as number)
      if (index > 0) {
        out.bytes[out.end++] = 0x80 | index
        return
      }
    }
    let first = policy === POLICY.never ? 0x10 : 0
    let mask = 0x0f
    if (policy === POLICY.index) {
      const hash = hashBytes(view, valueStart, valueLength, nameHash)
      const age = table.find(view, nameStart, nameLength, valueStart, valueLength, lowerCase, hash)
      if (age >= 0) {
        out.end = writeInteger(out.bytes, out.end, 0x80, 0x7f, STATIC_COUNT + 1 + age)
        return
      }
      // One that is larger would drive out most others.
      if (2 * (nameLength + valueLength + ENTRY_OVERHEAD) <= table.maxBytes && this.#isWorthIndexing(hash)) {
        table.add(view, nameStart, nameLength, valueStart, valueLength, lowerCase, hash)
        first = 0x40
        mask = 0x3f
      }
    }
    out.end = writeInteger(out.bytes, out.end, first, mask, nameIndex)
    if (nameIndex === 0) this.#string(out, bytes, view, nameStart, nameEnd, lowerCase)
    this.#string(out, bytes, view, valueStart, valueEnd, false)
  }

  #isWorthIndexing(hash: number): boolean {
    const seen = this.#seen
    if (seen === undefined) return true
    const place = hash & (SEEN - 1)
    if (seen[place] === hash) return true
    seen[place] = hash
    return false
  }

  #string(out: ByteSink, bytes: Uint8Array, view: DataView, start: number, end: number, lowerCase: boolean): void {
    const length = end - start
    if (this.#huffman) {
      let source = bytes
      let sourceStart = start
      if (lowerCase) {
        // Made small where nothing of the field will come.
        sourceStart = out.end + length + INTEGERS_BYTES
        out.reserve(2 * length + INTEGERS_BYTES)
        copyLower(view, start, out.view, sourceStart, length)
        source = out.bytes
      }
      const coded = huffmanLength(source, sourceStart, sourceStart + length)
      if (coded < length) {
        out.end = writeInteger(out.bytes, out.end, 0x80, 0x7f, coded)
        encodeHuffman(source, sourceStart, sourceStart + length, out.bytes, out.end)
        out.end += coded
        return
      }
    }
    out.end = writeInteger(out.bytes, out.end, 0, 0x7f, length)
    if (lowerCase) copyLower(view, start, out.view, out.end, length)
    else copyBytes(view, start, out.view, out.end, length)
    out.end += length
  }
}

function putText(bytes: Buffer, at: number, text: string): void {
  const { length } = text
  if (length > LOOP_CHARS) bytes.write(text, at, 'latin1')
  else for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i)
}

/** The index of the name's entry with this value in the static table, or 0. `index` is the first of `count` entries of the name. */
function staticMatch(view: DataView, valueStart: number, valueLength: number, index: number, count: number): number {
  for (let i = index; i < index + count; i++) {
    const entry = (i - 1) * ENTRY_STRIDE
    if (STATIC_ENTRIES[entry + 2] !== valueLength) continue
    const value = (STATIC_ENTRIES[entry] as number) + (STATIC_ENTRIES[entry + 1] as number) + 2
    if (equalBytes(view, valueStart, STATIC_LINES, value, valueLength)) return i
  }
  return 0
}
