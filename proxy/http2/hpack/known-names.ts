import { equalBytes } from '../../../lib/words.ts'
import { POLICIES, POLICY } from './indexing-policy.ts'
import { STATIC_FIELDS } from './static-table.ts'
import { equalLower, hashName } from './words.ts'

/*
 * The names that an encoder knows beforehand: those of the static table, and those with a policy. Each has an id, by
 * which the arrays go.
 */

const staticNames = new Set(STATIC_FIELDS.map(([name]) => name))
const names = [...new Set([...staticNames, ...Object.keys(POLICIES)])]

/** POLICY of the name. */
export const POLICY_OF = Uint8Array.from(names, (name) => POLICIES[name] ?? POLICY.index)
/** The first index that the name has in the static table; 0 if none. */
export const STATIC_INDEX_OF = Uint8Array.from(names, (name) => STATIC_FIELDS.findIndex(([n]) => n === name) + 1)
/** How many entries it has there; they follow each other. */
export const STATIC_ENTRIES_OF = Uint8Array.from(names, (name) => STATIC_FIELDS.filter(([n]) => n === name).length)

const NAME_BYTES = new Uint8Array(Buffer.from(names.join(''), 'latin1'))
const NAMES = new DataView(NAME_BYTES.buffer)
const PLACES = new Int32Array(names.length)
const LENGTHS = Int32Array.from(names, (name) => name.length)

/** Ids and one more by hash, 0 where there is none: open addressing, filled to a sixth. */
const BUCKETS = new Uint8Array(512)
const BUCKET_MASK = BUCKETS.length - 1

names.reduce((place, name, id) => {
  PLACES[id] = place
  let bucket = hashName(NAMES, place, name.length) & BUCKET_MASK
  while (BUCKETS[bucket] !== 0) bucket = (bucket + 1) & BUCKET_MASK
  BUCKETS[bucket] = id + 1
  return place + name.length
}, 0)

/** The id of the name at `at`, whatever its case, or -1. `hash` is its `hashName`. */
export function findName(view: DataView, at: number, length: number, hash: number): number {
  let bucket = hash & BUCKET_MASK
  for (;;) {
    const id = (BUCKETS[bucket] as number) - 1
    if (id < 0) return -1
    if (LENGTHS[id] === length && equalLower(view, at, NAMES, PLACES[id] as number, length)) return id
    bucket = (bucket + 1) & BUCKET_MASK
  }
}

/** Whether the bytes at `at`, of the name's length, are the name in lower case as it stands. */
export function isName(view: DataView, at: number, id: number): boolean {
  return equalBytes(view, at, NAMES, PLACES[id] as number, LENGTHS[id] as number)
}
