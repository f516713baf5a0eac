import { ENTRY_STRIDE, LINE_OVERHEAD } from './dynamic-table.ts'
import { STATIC_COUNT, STATIC_FIELDS } from './static-table.ts'

/*
 * The static table in the form of the dynamic one: lines in one buffer, and for each of them the place, the lengths of
 * name and value, and no flags.
 */

const text = STATIC_FIELDS.map(([name, value]) => `${name}: ${value}\r\n`).join('')
const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0))

export const STATIC_LINES = new DataView(bytes.buffer)

/** The entry of index i is at `ENTRY_STRIDE * (i - 1)`. */
export const STATIC_ENTRIES = new Int32Array(ENTRY_STRIDE * STATIC_COUNT)

let place = 0
STATIC_FIELDS.forEach(([name, value], i) => {
  STATIC_ENTRIES.set([place, name.length, value.length, 0], ENTRY_STRIDE * i)
  place += name.length + value.length + LINE_OVERHEAD
})
