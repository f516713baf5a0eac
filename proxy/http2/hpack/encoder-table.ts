import { copyBytes, equalBytes } from '../../../lib/words.ts'
import { DynamicTable, ENTRY_STRIDE } from './dynamic-table.ts'
import { copyLower, equalLower } from './words.ts'

/** Slots that share a hash. A fifth entry takes the place of the oldest one, which is then not found any more. */
const WAYS = 4

/**
 * The dynamic table of an encoder with a way to find what is in it: the hashes of name and value, in sets of WAYS slots.
 * A search looks at no more than those, whatever a hostile client sends to make hashes fall together.
 */
export class EncoderTable {
  readonly #table: DynamicTable
  /** A slot of the table and one more, 0 where there is none. What was evicted stays until it is written over. */
  readonly #ways: Uint16Array
  readonly #setMask: number
  /**
   * By slot, and at the end for the start of a block: the slot, and one more, of the entry that was named next the last
   * time. Messages of one connection are alike, so that it mostly is the one that is looked for, and is found without a hash.
   */
  readonly #next: Uint16Array
  #last: number

  constructor(mostBytes: number, maxBytes: number) {
    this.#table = new DynamicTable(mostBytes, maxBytes)
    // As many sets as entries: one way in four is in use.
    this.#ways = new Uint16Array(WAYS * (this.#table.mask + 1))
    this.#setMask = this.#table.mask
    this.#next = new Uint16Array(this.#table.mask + 2)
    this.#last = this.#table.mask + 1
  }

  get maxBytes(): number {
    return this.#table.maxBytes
  }

  get changes(): number {
    return this.#table.changes
  }

  /** Starts a block. */
  begin(): void {
    this.#last = this.#table.mask + 1
  }

  resize(maxBytes: number): void {
    this.#table.resize(maxBytes)
  }

  /** The age of the entry that followed the last one before, if it has this name and value; else -1. */
  guess(
    view: DataView,
    nameStart: number,
    nameLength: number,
    valueStart: number,
    valueLength: number,
    lowerCase: boolean,
  ): number {
    const slot = (this.#next[this.#last] as number) - 1
    if (slot < 0) return -1
    const age = this.#match(slot, view, nameStart, nameLength, valueStart, valueLength, lowerCase)
    if (age >= 0) this.#last = slot
    return age
  }

  /** Age of the entry with this name and value, 0 for the newest, or -1. `lowerCase` compares as if the name had no capitals. */
  find(
    view: DataView,
    nameStart: number,
    nameLength: number,
    valueStart: number,
    valueLength: number,
    lowerCase: boolean,
    hash: number,
  ): number {
    const { entries } = this.#table
    const set = (hash & this.#setMask) * WAYS
    for (let way = set; way < set + WAYS; way++) {
      const slot = (this.#ways[way] as number) - 1
      if (slot < 0 || entries[slot * ENTRY_STRIDE + 3] !== hash) continue
      const age = this.#match(slot, view, nameStart, nameLength, valueStart, valueLength, lowerCase)
      if (age < 0) continue
      this.#follow(slot)
      return age
    }
    return -1
  }

  /** The age of the entry in a slot if it is still there and has this name and value; else -1. */
  #match(
    slot: number,
    view: DataView,
    nameStart: number,
    nameLength: number,
    valueStart: number,
    valueLength: number,
    lowerCase: boolean,
  ): number {
    const table = this.#table
    const { entries } = table
    const at = slot * ENTRY_STRIDE
    if (entries[at + 1] !== nameLength || entries[at + 2] !== valueLength) return -1
    const age = (table.head - slot) & table.mask
    if (age >= table.count) return -1
    const place = entries[at] as number
    const isSame =
      equalBytes(view, valueStart, table.view, place + nameLength + 2, valueLength) &&
      (lowerCase
        ? equalLower(view, nameStart, table.view, place, nameLength)
        : equalBytes(view, nameStart, table.view, place, nameLength))
    return isSame ? age : -1
  }

  #follow(slot: number): void {
    this.#next[this.#last] = slot + 1
    this.#last = slot
  }

  /** Adds an entry, which must not be larger than the table. */
  add(
    view: DataView,
    nameStart: number,
    nameLength: number,
    valueStart: number,
    valueLength: number,
    lowerCase: boolean,
    hash: number,
  ): void {
    const table = this.#table
    const place = table.add(nameLength, valueLength, hash)
    if (lowerCase) copyLower(view, nameStart, table.view, place, nameLength)
    else copyBytes(view, nameStart, table.view, place, nameLength)
    copyBytes(view, valueStart, table.view, place + nameLength + 2, valueLength)
    this.#ways[this.#wayFor(hash)] = table.head + 1
    this.#follow(table.head)
  }

  /** The way of the hash's set that is free, or whose entry is the oldest. */
  #wayFor(hash: number): number {
    const { entries, head, mask, count } = this.#table
    const set = (hash & this.#setMask) * WAYS
    let oldest = set
    let oldestAge = -1
    for (let way = set; way < set + WAYS; way++) {
      const slot = (this.#ways[way] as number) - 1
      if (slot < 0) return way
      const age = (head - slot) & mask
      // The new entry itself: its slot was another's before. Or the slot is now one of another set.
      const other = entries[slot * ENTRY_STRIDE + 3] as number
      if (age === 0 || age >= count || ((other ^ hash) & this.#setMask) !== 0) return way
      if (age > oldestAge) {
        oldestAge = age
        oldest = way
      }
    }
    return oldest
  }
}
