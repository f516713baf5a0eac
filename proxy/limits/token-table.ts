import { ownText } from '../../lib/own-text.ts'
import type { TokenBucketPlan, TokenSource } from './token-bucket.ts'

/** How many buckets that are not full a process holds. */
export const MAX_BUCKETS = 65_536
/** What seeds are below. */
export const SEEDS = 2 ** 32
/** A bucket stands at one of so many places. */
const WINDOW = 32
/** A longer value of a wildcard is kept nowhere. */
const MAX_VALUE_LENGTH = 512
/** Of a token: what sums of fractions may be wrong by. */
const SLACK = 1e-6

/** The memory of a TokenTable, as it is given to other threads. */
export interface TokenMemory {
  readonly keys: SharedArrayBuffer
  readonly times: SharedArrayBuffer
  /** Who does not know it cannot choose values that share a bucket. */
  readonly seed: number
}

export function tokenMemory(seed: number): TokenMemory {
  return { keys: new SharedArrayBuffer(MAX_BUCKETS * 8), times: new SharedArrayBuffer(MAX_BUCKETS * 8), seed }
}

/** A bucket's key, and the place where it was seen last. */
interface Place {
  /** Of a value: the value, in memory of its own. */
  readonly text: string
  readonly low: number
  readonly high: number
  slot: number
  /** The places of its values, those used longest ago first. */
  readonly values: Map<string, Place> | undefined
}

/**
 * Token buckets that all threads take from. Of a bucket one number is kept, the time at which it will be full again (GCRA's
 * theoretical arrival time), and a token is taken by one compare-exchange of it. A bucket whose time has come is as good as one
 * that never was, so that its place can go to another without anybody noticing. Where a window has no such place, the bucket goes
 * that is the nearest to full.
 */
export class TokenTable implements TokenSource {
  remaining = 0
  resetMs = 0
  readonly #keys: Int32Array
  readonly #wholeKeys: BigInt64Array
  /** The same memory, to be read without making an object, and to be exchanged whole. */
  readonly #times: Float64Array
  readonly #wholeTimes: BigInt64Array
  readonly #isShared: boolean
  readonly #seed: number
  readonly #nowMs: () => number
  readonly #places = new WeakMap<TokenBucketPlan, Place>()
  readonly #ofConnections = new WeakMap<object, Map<string, number>>()
  readonly #scratch = new Float64Array(2)
  readonly #wholeScratch = new BigInt64Array(this.#scratch.buffer)
  #low = 0
  #high = 0

  /** `nowMs` is the same clock in every thread. */
  constructor(memory: TokenMemory, isShared: boolean, nowMs: () => number) {
    this.#keys = new Int32Array(memory.keys)
    this.#wholeKeys = new BigInt64Array(memory.keys)
    this.#times = new Float64Array(memory.times)
    this.#wholeTimes = new BigInt64Array(memory.times)
    this.#seed = memory.seed
    this.#isShared = isShared
    this.#nowMs = nowMs
  }

  take(bucket: TokenBucketPlan, value: string, connection: object | undefined): boolean {
    const nowMs = this.#nowMs()
    if (connection !== undefined) return this.#takeOfConnection(bucket, value, connection, nowMs)
    const slot = this.#slotOf(this.#placeOf(bucket, value))
    const times = this.#times
    for (;;) {
      const fullMs = times[slot] as number
      const nextMs = this.#spend(bucket, fullMs, nowMs)
      if (nextMs < 0) return false
      if (!this.#isShared) {
        times[slot] = nextMs
        return true
      }
      this.#scratch[0] = fullMs
      this.#scratch[1] = nextMs
      const expected = this.#wholeScratch[0] as bigint
      if (Atomics.compareExchange(this.#wholeTimes, slot, expected, this.#wholeScratch[1] as bigint) === expected)
        return true
    }
  }

  /** When the bucket is full again once a token is taken; -1 where it has none. Notes what is left. */
  #spend({ maxTokens, tokenMs }: TokenBucketPlan, fullMs: number, nowMs: number): number {
    const capacityMs = maxTokens * tokenMs
    const owedMs = fullMs > nowMs ? fullMs - nowMs : 0
    const isEnough = owedMs + tokenMs <= capacityMs + tokenMs * SLACK
    const leftMs = capacityMs - owedMs - (isEnough ? tokenMs : 0)
    this.remaining = Math.max(0, Math.floor(leftMs / tokenMs + SLACK))
    this.resetMs = this.remaining > 0 ? 0 : tokenMs - Math.max(0, leftMs)
    return isEnough ? nowMs + owedMs + tokenMs : -1
  }

  #takeOfConnection(bucket: TokenBucketPlan, value: string, connection: object, nowMs: number): boolean {
    let times = this.#ofConnections.get(connection)
    if (times === undefined) {
      times = new Map()
      this.#ofConnections.set(connection, times)
    }
    const key = value === '' ? bucket.id : `${bucket.id}\0${this.#shortened(value)}`
    const nextMs = this.#spend(bucket, times.get(key) ?? 0, nowMs)
    if (nextMs < 0) return false
    times.delete(key)
    times.set(key, nextMs)
    if (times.size > MAX_BUCKETS_OF_CONNECTION) times.delete(times.keys().next().value as string)
    return true
  }

  #placeOf(bucket: TokenBucketPlan, value: string): Place {
    let place = this.#places.get(bucket)
    if (place === undefined) {
      const values = bucket.maxValues > 0 ? new Map<string, Place>() : undefined
      place = this.#newPlace(bucket.id, 0, 0, values)
      this.#places.set(bucket, place)
    }
    const { values } = place
    if (values === undefined) return place
    // Who asks decides how long it is: a long one is looked up anew each time.
    if (value.length > MAX_VALUE_LENGTH) return this.#newPlace(value, place.low, place.high, undefined)
    let one = values.get(value)
    if (one !== undefined && values.size === 1) return one
    if (one === undefined) one = this.#newPlace(ownText(value), place.low, place.high, undefined)
    else values.delete(value)
    values.set(one.text, one)
    if (values.size > bucket.maxValues) values.delete(values.keys().next().value as string)
    return one
  }

  /** What stands for a value where it is kept, which is a part of a request. */
  #shortened(value: string): string {
    if (value.length <= MAX_VALUE_LENGTH) return value
    this.#hash(value, 0, 0)
    return `\0${this.#low} ${this.#high}`
  }

  #newPlace(text: string, low: number, high: number, values: Place['values']): Place {
    this.#hash(text, low, high)
    return { text, low: this.#low, high: this.#high, slot: -1, values }
  }

  #slotOf(place: Place): number {
    const { slot, low, high } = place
    if (slot >= 0 && this.#keys[slot * 2] === low && this.#keys[slot * 2 + 1] === high) return slot
    place.slot = this.#find(low, high)
    return place.slot
  }

  /** The slot of a key, taken where nobody has it. */
  #find(low: number, high: number): number {
    for (;;) {
      const claimed = this.#search(low, high)
      if (claimed >= 0) return claimed
      const slot = -claimed - 1
      const before = Atomics.load(this.#wholeKeys, slot)
      const time = Atomics.load(this.#wholeTimes, slot)
      const key = (BigInt(high) << 32n) | BigInt(low >>> 0)
      if (Atomics.compareExchange(this.#wholeKeys, slot, before, key) !== before) continue
      // What another thread has taken since it could find the key stays taken.
      Atomics.compareExchange(this.#wholeTimes, slot, time, 0n)
      // Another thread may have claimed one for the same key meanwhile: the first in the window is everybody's.
      const first = this.#search(low, high)
      if (first !== slot && first >= 0) Atomics.compareExchange(this.#wholeKeys, slot, key, 0n)
      return first >= 0 ? first : slot
    }
  }

  /** The slot that has the key, or -1 - the one that is the nearest to full. */
  #search(low: number, high: number): number {
    const begin = (low >>> 0) % MAX_BUCKETS
    let fullest = begin
    let earliestMs = Number.POSITIVE_INFINITY
    for (let i = 0; i < WINDOW; i++) {
      const slot = (begin + i) % MAX_BUCKETS
      if (this.#keys[slot * 2] === low && this.#keys[slot * 2 + 1] === high) return slot
      const fullMs = this.#times[slot] as number
      if (fullMs < earliestMs) {
        earliestMs = fullMs
        fullest = slot
      }
    }
    return -1 - fullest
  }

  /** 64 bits of a text and what comes before it; never 0, which means an empty slot. */
  #hash(text: string, before1: number, before2: number): void {
    let a = 0xdeadbeef ^ this.#seed ^ before1
    let b = 0x41c6ce57 ^ this.#seed ^ before2
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i)
      a = Math.imul(a ^ code, 2_654_435_761)
      b = Math.imul(b ^ code, 1_597_334_677)
    }
    a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909)
    b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909)
    this.#low = a | 0
    this.#high = b | 1
  }
}

/** Buckets that a connection may have of its own. */
const MAX_BUCKETS_OF_CONNECTION = 64
