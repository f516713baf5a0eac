import { type Hash64, HashValue, remainder, xxHash64 } from '../../../../lib/xxhash64.ts'
import type { HashTable } from './table.ts'

const SKIP_SEED: Hash64 = { high: 0, low: 1 }

/**
 * Google's Maglev table as Envoy fills it (OriginalMaglevTable): the hosts, in the order of their keys, take turns in
 * claiming the next free place of their own permutation of all places; who has less weight misses turns. `size` is a prime.
 */
export class MaglevTable implements HashTable {
  readonly #size: number
  /** Index of a host in each place. */
  readonly #table: Uint16Array | Uint32Array

  constructor(keys: readonly Buffer[], shares: Float64Array, size: number) {
    const count = keys.length
    const order = keys.map((_, i) => i).sort((a, b) => Buffer.compare(keys[a] as Buffer, keys[b] as Buffer))
    const next = new Uint32Array(count)
    const skip = new Uint32Array(count)
    const weights = new Float64Array(count)
    const targets = new Float64Array(count)
    const hash = new HashValue()
    let most = 0
    for (let i = 0; i < count; i++) {
      const host = order[i] as number
      const key = keys[host] as Buffer
      xxHash64(key, 0, key.length, hash)
      next[i] = remainder(hash, size)
      xxHash64(key, 0, key.length, hash, SKIP_SEED)
      skip[i] = remainder(hash, size - 1) + 1
      weights[i] = shares[host] as number
      most = Math.max(most, weights[i] as number)
    }
    // One more than the host, so that 0 is a free place.
    const table = count < 0xffff ? new Uint16Array(size) : new Uint32Array(size)
    let filled = 0
    for (let turn = 1; filled < size; turn++) {
      for (let i = 0; i < count && filled < size; i++) {
        if (turn * (weights[i] as number) < (targets[i] as number)) continue
        targets[i] = (targets[i] as number) + most
        const step = skip[i] as number
        let place = next[i] as number
        while (table[place] !== 0) {
          place += step
          if (place >= size) place -= size
        }
        table[place] = (order[i] as number) + 1
        place += step
        next[i] = place >= size ? place - size : place
        filled++
      }
    }
    this.#size = size
    this.#table = table
  }

  find(hash: Hash64, redraw: number): number {
    const index = redraw === 0 ? remainder(hash, this.#size) : remainder(another(hash, redraw), this.#size)
    return (this.#table[index] as number) - 1
  }

  /** How many places each of the hosts has. */
  counts(hosts: number): number[] {
    const counts = new Array<number>(hosts).fill(0)
    for (const place of this.#table) counts[place - 1] = (counts[place - 1] as number) + 1
    return counts
  }
}

/** hash ^ (2^64 - redraw): most bits change. */
function another({ high, low }: Hash64, redraw: number): Hash64 {
  return { high: ~high >>> 0, low: (low ^ -redraw) >>> 0 }
}
