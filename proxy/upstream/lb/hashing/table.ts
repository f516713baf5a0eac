import type { Hash64 } from '../../../../lib/xxhash64.ts'

/** Where each hash belongs. */
export interface HashTable {
  /**
   * The index of the host for a hash. `redraw` counts the hosts that were found and not wanted: each number leads to
   * another place, always the same for the same hash.
   */
  find(hash: Hash64, redraw: number): number
}

/**
 * Makes a table of hosts: the bytes that tell each from the others, and the share of the whole that each is to have; the shares sum
 * up to 1, and no table is made of none.
 */
export type BuildTable = (keys: readonly Buffer[], shares: Float64Array) => HashTable
