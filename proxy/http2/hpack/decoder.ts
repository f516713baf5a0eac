import { copyBytes } from '../../../lib/words.ts'
import { COLON, CR, HTAB, LF, SP } from '../../http1/chars.ts'
import { BlockMemory, type KeptLines, WHATEVER } from './block-memory.ts'
import { DEFAULT_TABLE_BYTES, DynamicTable, ENTRY_OVERHEAD, ENTRY_STRIDE, LINE_OVERHEAD } from './dynamic-table.ts'
import { FLAGS_OF, flagsOfName, NAME_BAD, NAME_FLAGS, NAME_UPPER, VALUE_BAD } from './field-flags.ts'
import { type FieldLines, MAX_FIELDS } from './field-lines.ts'
import { HPACK_ERROR } from './hpack-error.ts'
import { decodeHuffman, HUFFMAN_FLAG_BITS, huffmanBound } from './huffman-decode.ts'
import { IntegerReader } from './integer.ts'
import { STATIC_ENTRIES, STATIC_LINES } from './static-lines.ts'
import { STATIC_COUNT } from './static-table.ts'

/** The first byte of a representation (RFC 7541 6): its kind, and the bits of its first integer. */
const INDEXED = 0x80
const INDEXED_MASK = 0x7f
const INCREMENTAL = 0x40
const INCREMENTAL_MASK = 0x3f
const SIZE_UPDATE = 0x20
const SIZE_UPDATE_MASK = 0x1f
const NEVER_INDEXED = 0x10
const LITERAL_MASK = 0x0f
const HUFFMAN = 0x80
const LENGTH_MASK = 0x7f

/** Of so many fields of a block it is known whether they were added to the table: bits of a small integer. */
const MAX_ADDED = 31

/** A copy of a name takes the two bytes after `: ` along. */
const SLACK_BYTES = 4

/** Decodes the header blocks of one direction of a connection (RFC 7541 3). */
export class HpackDecoder {
  /** Whether names may have capitals: RFC 9113 8.2.1 forbids them, our own proxies may agree to pass names as they are. */
  allowUpperCase = false
  readonly #table: DynamicTable
  readonly #announcedBytes: number
  /** The most that a size update may ask for. */
  #limitBytes: number
  readonly #integer = new IntegerReader()
  readonly #memory = new BlockMemory()
  /** The block under way says what it does by what was in the table before it. */
  #asksTable = false
  /** A bit for each of its fields that it has added to the table. */
  #added = 0
  /** The lines of a block that came again and would have filled the table, and how often. */
  #owed: KeptLines | undefined
  #owedTimes = 0
  // What the string or literal that was read last was like.
  #stringBytes = 0
  #stringFlags = 0
  #nameLength = 0
  #valueLength = 0
  #flags = 0

  /** `maxTableBytes` is the SETTINGS_HEADER_TABLE_SIZE that we announced. */
  constructor(maxTableBytes: number) {
    // Until the peer has seen our settings it goes by the default, in what it does and in the updates that it sends.
    this.#announcedBytes = maxTableBytes
    this.#limitBytes = Math.max(maxTableBytes, DEFAULT_TABLE_BYTES)
    this.#table = new DynamicTable(this.#limitBytes, DEFAULT_TABLE_BYTES)
  }

  /**
   * The peer has acknowledged the settings with our table size: no update may be over it from now on, and a table that
   * is over it must be made smaller at the start of the next block (RFC 7541 4.2).
   */
  settingsAcknowledged(): void {
    this.#limitBytes = this.#announcedBytes
    this.#memory.forget()
  }

  /**
   * Decodes the complete header block in `block` from `start` to `end` into `into`, whose `begin()` it calls.
   *
   * Returns 0 when well, or one of HPACK_ERROR, and then nothing is kept: `compression` for what RFC 7541 calls an
   * error; `tooLarge` when the list is over `maxListBytes` (RFC 9113 6.5.2: name, value and 32 for every field) or has
   * more than MAX_FIELDS; `malformed` for bytes that no name or value may hold, and for an empty name. The last two,
   * of which the first to be seen is told, still decode the whole block, so that the table stays in step; what that
   * costs is bounded by the length of the block and the size of the table.
   */
  decode(block: Buffer, start: number, end: number, into: FieldLines, maxListBytes: number): number {
    const known = this.#memory.recall(block, start, end, this.#table.changes, maxListBytes)
    if (known !== undefined) {
      if (known.added !== 0) this.#owe(known)
      into.show(known)
      return 0
    }
    this.#settle()
    const { changes } = this.#table
    into.begin()
    const error = this.#decode(block, start, end, into, maxListBytes)
    if (error !== 0) into.drop()
    else if (!this.#asksTable || this.#table.changes === changes) {
      this.#memory.note(block, start, end, this.#asksTable ? changes : WHATEVER, maxListBytes, into, this.#added)
    }
    return error
  }

  /** A block that is known would fill the table once more, which can wait until another asks what is in it. */
  #owe(known: KeptLines): void {
    if (this.#owed !== known) {
      this.#settle()
      this.#owed = known
    }
    this.#owedTimes++
    this.#table.changes++
  }

  /** Does to the table what the block did that came again and again. */
  #settle(): void {
    const owed = this.#owed
    if (owed === undefined) return
    // After so many nothing is left in it that was there before.
    const times = Math.min(this.#owedTimes, Math.ceil(this.#table.maxBytes / ENTRY_OVERHEAD) + 1)
    for (let i = 0; i < times; i++) this.#addAgain(owed)
    this.#owed = undefined
    this.#owedTimes = 0
  }

  #addAgain({ view, at, count, added }: KeptLines): void {
    const table = this.#table
    for (let i = 0; i < count; i++) {
      if ((added & (1 << i)) === 0) continue
      const slot = i << 2
      const from = at[slot] as number
      const nameLength = (at[slot + 1] as number) - from
      const valueLength = (at[slot + 3] as number) - (at[slot + 2] as number)
      // What is remembered is well.
      const place = table.add(nameLength, valueLength, 0)
      if (place >= 0) copyBytes(view, from, table.view, place, nameLength + valueLength + LINE_OVERHEAD)
    }
  }

  #decode(block: Buffer, start: number, end: number, into: FieldLines, maxListBytes: number): number {
    const table = this.#table
    const { at, neverIndexed } = into
    this.#added = 0
    this.#asksTable = false
    const refused = this.allowUpperCase ? NAME_BAD | VALUE_BAD : NAME_BAD | NAME_UPPER | VALUE_BAD
    let pos = this.#sizeUpdates(block, start, end)
    if (pos < 0) return HPACK_ERROR.compression
    let verdict = 0
    let listBytes = 0
    let count = 0
    while (pos < end) {
      const first = block[pos] as number
      let nameLength: number
      let valueLength: number
      let flags: number
      if (first >= INDEXED) {
        let index = first & INDEXED_MASK
        pos++
        if (index === INDEXED_MASK) {
          index = this.#integer.read(block, pos, end, INDEXED_MASK)
          if (index < 0) return HPACK_ERROR.compression
          pos = this.#integer.end
        }
        let entries: Int32Array = STATIC_ENTRIES
        let lines: DataView = STATIC_LINES
        let entry = (index - 1) * ENTRY_STRIDE
        if (index > STATIC_COUNT) {
          const age = index - STATIC_COUNT - 1
          if (age >= table.count) return HPACK_ERROR.compression
          this.#asksTable = true
          entries = table.entries
          lines = table.view
          entry = ((table.head - age) & table.mask) * ENTRY_STRIDE
        } else if (index === 0) return HPACK_ERROR.compression
        nameLength = entries[entry + 1] as number
        valueLength = entries[entry + 2] as number
        flags = entries[entry + 3] as number
        if (verdict === 0) {
          const length = nameLength + valueLength + LINE_OVERHEAD
          if (into.bytes.length - into.end < length) into.reserve(length, 0)
          copyBytes(lines, entries[entry] as number, into.view, into.end, length)
        }
      } else {
        pos = this.#literal(block, pos, end, into)
        if (pos < 0) return HPACK_ERROR.compression
        nameLength = this.#nameLength
        valueLength = this.#valueLength
        flags = this.#flags
      }
      if (verdict !== 0) continue
      listBytes += nameLength + valueLength + ENTRY_OVERHEAD
      if (listBytes > maxListBytes || count === MAX_FIELDS) verdict = HPACK_ERROR.tooLarge
      else if ((flags & refused) !== 0) verdict = HPACK_ERROR.malformed
      // Nothing is kept from here on: every literal that comes yet is written over the one before it.
      if (verdict !== 0) continue
      const nameStart = into.end - into.base
      const slot = count << 2
      at[slot] = nameStart
      at[slot + 1] = nameStart + nameLength
      at[slot + 2] = nameStart + nameLength + 2
      at[slot + 3] = nameStart + nameLength + 2 + valueLength
      if (first >= INCREMENTAL && first < INDEXED) {
        if (count < MAX_ADDED) this.#added |= 1 << count
        else this.#asksTable = true
      }
      neverIndexed[count++] = (first & 0xf0) === NEVER_INDEXED ? 1 : 0
      into.end += nameLength + valueLength + LINE_OVERHEAD
    }
    if (verdict !== 0) return verdict
    at[count << 2] = into.end - into.base
    into.count = count
    return 0
  }

  /** Reads what a block may only begin with. Returns where the fields begin, or -1. */
  #sizeUpdates(block: Buffer, start: number, end: number): number {
    const table = this.#table
    let pos = start
    while (pos < end && ((block[pos] as number) & ~SIZE_UPDATE_MASK) === SIZE_UPDATE) {
      this.#asksTable = true
      let bytes = (block[pos++] as number) & SIZE_UPDATE_MASK
      if (bytes === SIZE_UPDATE_MASK) {
        bytes = this.#integer.read(block, pos, end, SIZE_UPDATE_MASK)
        if (bytes < 0) return -1
        pos = this.#integer.end
      }
      if (bytes > this.#limitBytes) return -1
      table.resize(bytes)
    }
    return table.maxBytes > this.#limitBytes ? -1 : pos
  }

  /**
   * Reads a literal (RFC 7541 6.2) and writes its line after the end of `into`, which stays where it is. Returns where
   * the next representation begins, or -1.
   */
  #literal(block: Buffer, start: number, end: number, into: FieldLines): number {
    const table = this.#table
    const first = block[start] as number
    const isIncremental = first >= INCREMENTAL
    // A size update after a field.
    if (!isIncremental && first >= SIZE_UPDATE) return -1
    const mask = isIncremental ? INCREMENTAL_MASK : LITERAL_MASK
    let index = first & mask
    let pos = start + 1
    if (index === mask) {
      index = this.#integer.read(block, pos, end, mask)
      if (index < 0) return -1
      pos = this.#integer.end
    }
    let nameLength: number
    let flags: number
    if (index === 0) {
      pos = this.#string(block, pos, end, into, 0)
      if (pos < 0) return -1
      nameLength = this.#stringBytes
      flags = this.#stringFlags & NAME_FLAGS
      if ((flags & NAME_BAD) !== 0 || nameLength === 0) {
        flags = flagsOfName(into.bytes, into.end, into.end + nameLength)
      }
    } else {
      let entries: Int32Array = STATIC_ENTRIES
      let lines: DataView = STATIC_LINES
      let entry = (index - 1) * ENTRY_STRIDE
      if (index > STATIC_COUNT) {
        const age = index - STATIC_COUNT - 1
        if (age >= table.count) return -1
        this.#asksTable = true
        entries = table.entries
        lines = table.view
        entry = ((table.head - age) & table.mask) * ENTRY_STRIDE
      }
      nameLength = entries[entry + 1] as number
      flags = (entries[entry + 3] as number) & NAME_FLAGS
      const length = nameLength + LINE_OVERHEAD
      if (into.bytes.length - into.end < length) into.reserve(length, 0)
      copyBytes(lines, entries[entry] as number, into.view, into.end, length)
    }
    pos = this.#string(block, pos, end, into, nameLength + 2)
    if (pos < 0) return -1
    const valueLength = this.#stringBytes
    flags |= this.#stringFlags & VALUE_BAD
    const { bytes } = into
    const nameEnd = into.end + nameLength
    bytes[nameEnd] = COLON
    bytes[nameEnd + 1] = SP
    const valueEnd = nameEnd + 2 + valueLength
    if (valueLength > 0 && (isBlank(bytes[nameEnd + 2] as number) || isBlank(bytes[valueEnd - 1] as number))) {
      flags |= VALUE_BAD
    }
    bytes[valueEnd] = CR
    bytes[valueEnd + 1] = LF
    if (isIncremental) {
      const place = table.add(nameLength, valueLength, flags)
      if (place >= 0) copyBytes(into.view, into.end, table.view, place, nameLength + valueLength + LINE_OVERHEAD)
    }
    this.#nameLength = nameLength
    this.#valueLength = valueLength
    this.#flags = flags
    return pos
  }

  /**
   * Reads a string (RFC 7541 5.2) and writes it `pending` bytes after the end of `into`, with room for the rest of the
   * line after it. Returns where the string ends in the block, or -1.
   */
  #string(block: Buffer, start: number, end: number, into: FieldLines, pending: number): number {
    if (start >= end) return -1
    const first = block[start] as number
    let length = first & LENGTH_MASK
    let pos = start + 1
    if (length === LENGTH_MASK) {
      length = this.#integer.read(block, pos, end, LENGTH_MASK)
      if (length < 0) return -1
      pos = this.#integer.end
    }
    if (length > end - pos) return -1
    const stringEnd = pos + length
    const isHuffman = (first & HUFFMAN) !== 0
    const size = pending + (isHuffman ? huffmanBound(length) : length) + SLACK_BYTES
    if (into.bytes.length - into.end < size) into.reserve(size, pending)
    const { bytes } = into
    let to = into.end + pending
    if (isHuffman) {
      const decoded = decodeHuffman(block, pos, stringEnd, bytes, to)
      if (decoded < 0) return -1
      this.#stringBytes = decoded >>> HUFFMAN_FLAG_BITS
      this.#stringFlags = decoded
      return stringEnd
    }
    let flags = 0
    while (pos < stringEnd) {
      const byte = block[pos++] as number
      flags |= FLAGS_OF[byte] as number
      bytes[to++] = byte
    }
    this.#stringBytes = length
    this.#stringFlags = flags
    return stringEnd
  }
}

function isBlank(byte: number): boolean {
  return byte === SP || byte === HTAB
}
