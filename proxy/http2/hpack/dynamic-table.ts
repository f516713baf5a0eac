import { copyBytes } from '../../../lib/words.ts'

/** Integers per entry: the place of its line, the length of the name, that of the value, and one of the owner's own. */
export const ENTRY_STRIDE = 4
/** What a line has beside name and value: the colon and space between them, and CRLF. */
export const LINE_OVERHEAD = 4
/** What an entry counts beside the bytes of name and value (RFC 7541 4.1). */
export const ENTRY_OVERHEAD = 32
/** SETTINGS_HEADER_TABLE_SIZE before anyone sets it (RFC 9113 6.5.2). */
export const DEFAULT_TABLE_BYTES = 4096

const FIRST_BYTES = 1024

/**
 * The dynamic table of one direction of a connection (RFC 7541 2.3.2): a ring of entries over a ring of bytes in which
 * every entry is a line `name: value\r\n` in one piece. Encoder and decoder keep the same; only the fourth integer of an
 * entry means something else to each.
 *
 * The bytes grow with use up to twice the size that the table may have: then a line always finds room in one piece.
 */
export class DynamicTable {
  /** The lines. Replaced when they grow, so do not keep it across `add`. */
  view: DataView
  readonly entries: Int32Array
  /** Number of slots less one; slots are a power of two. */
  readonly mask: number
  /** Slot of the newest entry; the one that is `age` entries older is in slot `(head - age) & mask`. */
  head = 0
  count = 0
  /** Size of the entries as RFC 7541 4.1 counts it, and the most that it may be now. */
  size = 0
  maxBytes: number
  /** Grows with every change: as long as it does not, indexes mean the same. */
  changes = 0
  readonly #mostBytes: number
  /** Where the newest line ends. */
  #end = 0

  /** `mostBytes` is the highest value that `maxBytes` will ever have. */
  constructor(mostBytes: number, maxBytes: number) {
    this.#mostBytes = mostBytes
    this.maxBytes = maxBytes
    let slots = 1
    while (slots * ENTRY_OVERHEAD < mostBytes) slots *= 2
    this.mask = slots - 1
    this.entries = new Int32Array(ENTRY_STRIDE * slots)
    this.view = new DataView(new ArrayBuffer(Math.min(FIRST_BYTES, 2 * mostBytes)))
  }

  /** Changes the size that the table may have, at most `mostBytes`, and evicts what is over it (RFC 7541 4.3). */
  resize(maxBytes: number): void {
    this.changes++
    this.maxBytes = maxBytes
    this.#evict(maxBytes)
  }

  /**
   * Makes room for an entry, evicting from the oldest (RFC 7541 4.4), and returns where its line is to be written; -1
   * if it is larger than the table, which is empty then. What the caller read of older entries may be gone.
   */
  add(nameLength: number, valueLength: number, own: number): number {
    const size = nameLength + valueLength + ENTRY_OVERHEAD
    this.changes++
    if (size > this.maxBytes) {
      this.#evict(0)
      return -1
    }
    this.#evict(this.maxBytes - size)
    const place = this.#place(nameLength + valueLength + LINE_OVERHEAD)
    this.head = (this.head + 1) & this.mask
    const at = this.head * ENTRY_STRIDE
    const { entries } = this
    entries[at] = place
    entries[at + 1] = nameLength
    entries[at + 2] = valueLength
    entries[at + 3] = own
    this.count++
    this.size += size
    return place
  }

  #evict(maxBytes: number): void {
    const { entries, mask } = this
    while (this.size > maxBytes) {
      const at = ((this.head - this.count + 1) & mask) * ENTRY_STRIDE
      this.size -= (entries[at + 1] as number) + (entries[at + 2] as number) + ENTRY_OVERHEAD
      this.count--
    }
  }

  #place(length: number): number {
    if (this.count === 0) this.#end = 0
    const start = this.#end
    const oldest =
      this.count === 0 ? -1 : (this.entries[((this.head - this.count + 1) & this.mask) * ENTRY_STRIDE] as number)
    if (start > oldest) {
      if (start + length <= this.view.byteLength) return this.#take(start, length)
      if (length <= oldest) return this.#take(0, length)
    } else if (start + length <= oldest) return this.#take(start, length)
    this.#grow(length)
    return this.#take(this.#end, length)
  }

  #take(start: number, length: number): number {
    this.#end = start + length
    return start
  }

  /** Moves the lines into a larger buffer, in order from its beginning, so that `length` bytes follow them. */
  #grow(length: number): void {
    const { entries, mask, view } = this
    let bytes = view.byteLength
    // What is evicted is gone already: lines and the new one are within the table's size.
    const needed = this.size + length
    do bytes *= 2
    while (bytes < needed)
    const grown = new DataView(new ArrayBuffer(Math.min(bytes, 2 * this.#mostBytes)))
    let end = 0
    for (let age = this.count - 1; age >= 0; age--) {
      const at = ((this.head - age) & mask) * ENTRY_STRIDE
      const lineBytes = (entries[at + 1] as number) + (entries[at + 2] as number) + LINE_OVERHEAD
      copyBytes(view, entries[at] as number, grown, end, lineBytes)
      entries[at] = end
      end += lineBytes
    }
    this.view = grown
    this.#end = end
  }
}
