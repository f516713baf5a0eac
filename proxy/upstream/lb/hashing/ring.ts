import { type Hash64, HashValue, xxHash64 } from '../../../../lib/xxhash64.ts'
import type { HashTable } from './table.ts'

/** What a float holds of an integer. */
const FLOAT_BITS = 53
const UNDERSCORE = 0x5f
/** Digits of the largest number of points. */
const MAX_DIGITS = 10

/**
 * Ketama's ring as Envoy makes it (RingHashLoadBalancer::Ring): the points of a host are xxHash64 of `<key>_0`, `<key>_1` and so
 * on; a request goes to the host of the first point at or behind its hash. There are so many points that the host with the
 * least share has a whole number of them.
 */
export class Ring implements HashTable {
  readonly #high: Uint32Array
  readonly #low: Uint32Array
  readonly #hosts: Uint32Array

  constructor(keys: readonly Buffer[], shares: Float64Array, minSize: number, maxSize: number) {
    const least = shares.reduce((a, b) => Math.min(a, b), 1)
    const scale = Math.min(Math.ceil(least * minSize) / least, maxSize)
    // The sums are floats, so that there may be one point more than there should be.
    const room = Math.ceil(scale) + keys.length
    const high = new Uint32Array(room)
    const low = new Uint32Array(room)
    const hosts = new Uint32Array(room)
    const hash = new HashValue()
    let count = 0
    let target = 0
    for (let h = 0; h < keys.length; h++) {
      const key = keys[h] as Buffer
      const text = Buffer.allocUnsafe(key.length + 1 + MAX_DIGITS)
      key.copy(text)
      text[key.length] = UNDERSCORE
      target += scale * (shares[h] as number)
      for (let i = 0; count < target; i++) {
        const end = key.length + 1 + text.write(String(i), key.length + 1, 'latin1')
        xxHash64(text, 0, end, hash)
        high[count] = hash.high
        low[count] = hash.low
        hosts[count] = h
        count++
      }
    }
    const order = sorted(high, low, count)
    this.#high = Uint32Array.from(order, (i) => high[i] as number)
    this.#low = Uint32Array.from(order, (i) => low[i] as number)
    this.#hosts = Uint32Array.from(order, (i) => hosts[i] as number)
  }

  get size(): number {
    return this.#hosts.length
  }

  find({ high, low }: Hash64, redraw: number): number {
    const highs = this.#high
    let from = 0
    let to = highs.length
    while (from < to) {
      const middle = (from + to) >>> 1
      const point = highs[middle] as number
      if (point < high || (point === high && (this.#low[middle] as number) < low)) from = middle + 1
      else to = middle
    }
    return this.#hosts[(from + redraw) % highs.length] as number
  }
}

/**
 * The places of `count` hashes in their order. Floats are sorted much faster than anything by a comparison of ours, so each is
 * given the upper bits of its hash with its place behind them; the few whose upper bits are equal are put right afterwards.
 */
function sorted(high: Uint32Array, low: Uint32Array, count: number): Uint32Array {
  const placeBits = Math.ceil(Math.log2(Math.max(2, count)))
  const places = 2 ** placeBits
  const dropped = 2 ** Math.max(0, 32 - (FLOAT_BITS - placeBits))
  const keys = new Float64Array(count)
  for (let i = 0; i < count; i++) keys[i] = Math.floor((high[i] as number) / dropped) * places + i
  keys.sort()
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = (keys[i] as number) % places
  const isBefore = (a: number, b: number) => {
    const difference = (high[a] as number) - (high[b] as number)
    return difference === 0 ? (low[a] as number) < (low[b] as number) : difference < 0
  }
  for (let i = 1; i < count; i++) {
    const moved = order[i] as number
    let j = i
    for (; j > 0 && isBefore(moved, order[j - 1] as number); j--) order[j] = order[j - 1] as number
    order[j] = moved
  }
  return order
}
