import { fnv1a64 } from '../../lib/fnv.ts'

/** What circuit breakers count for a cluster. */
export const COUNT = { connections: 0, pending: 1, requests: 2, retries: 3 } as const
export type CountKind = (typeof COUNT)[keyof typeof COUNT]

/** Those of one priority; those of the next follow. */
export const KINDS = 4
/** What is kept for a cluster: DEFAULT and HIGH. */
const PLACES = 2 * KINDS
/** Clusters whose counts are whole-process; others, beyond these, are counted by each thread for itself. */
export const MAX_SHARED_CLUSTERS = 4096
/** Slots for them: half stay empty, so that looking one up is quick. */
const SLOTS = MAX_SHARED_CLUSTERS * 2

/** The counts of one cluster. `place` is a COUNT, and KINDS more for priority HIGH. */
export interface BreakerCounts {
  /** Over all threads. */
  total(place: number): number
  add(place: number, by: 1 | -1): void
}

/** Where counts of clusters are kept. */
export interface BreakerTable {
  /** How many threads count in it. */
  readonly threads: number
  countsOf(cluster: string): BreakerCounts
}

class OwnCounts implements BreakerCounts {
  readonly #counts = new Int32Array(PLACES)

  total(place: number): number {
    return this.#counts[place] as number
  }

  add(place: number, by: 1 | -1): void {
    this.#counts[place]! += by
  }
}

/** Counts for a process with one thread. */
export const ownBreakerTable: BreakerTable = { threads: 1, countsOf: () => new OwnCounts() }

/** The memory of a SharedBreakerTable, as it is given to other threads. */
export interface SharedBreakerMemory {
  readonly keys: SharedArrayBuffer
  readonly counts: SharedArrayBuffer
  readonly threads: number
}

export function sharedBreakerMemory(threads: number): SharedBreakerMemory {
  return {
    keys: new SharedArrayBuffer(SLOTS * 8),
    counts: new SharedArrayBuffer(threads * SLOTS * PLACES * 4),
    threads,
  }
}

/** Forgets what a thread that has ended had counted. */
export function clearThread(memory: SharedBreakerMemory, thread: number): void {
  new Int32Array(memory.counts).fill(0, thread * SLOTS * PLACES, (thread + 1) * SLOTS * PLACES)
}

/**
 * Counts that all threads see: each writes its own and sums those of all, so that nothing is locked and what an ended
 * thread held can be taken away. A cluster's place is found by the hash of its name.
 */
export class SharedBreakerTable implements BreakerTable {
  readonly #keys: BigInt64Array
  readonly #counts: Int32Array
  readonly threads: number
  readonly #thread: number

  constructor(memory: SharedBreakerMemory, thread: number) {
    this.#keys = new BigInt64Array(memory.keys)
    this.#counts = new Int32Array(memory.counts)
    this.threads = memory.threads
    this.#thread = thread
  }

  countsOf(cluster: string): BreakerCounts {
    const slot = this.#slotOf(keyOf(cluster))
    return slot < 0 ? new OwnCounts() : new SharedCounts(this.#counts, this.threads, this.#thread, slot * PLACES)
  }

  /** The slot of a key, taken if nobody has it; -1 when the table is full. */
  #slotOf(key: bigint): number {
    const first = Number(BigInt.asUintN(32, key)) % SLOTS
    for (let tried = 0; tried < MAX_SHARED_CLUSTERS; tried++) {
      const slot = (first + tried) % SLOTS
      const found = Atomics.compareExchange(this.#keys, slot, 0n, key)
      if (found === 0n || found === key) return slot
    }
    return -1
  }
}

class SharedCounts implements BreakerCounts {
  readonly #counts: Int32Array
  readonly #first: number
  readonly #own: number
  readonly #end: number

  constructor(counts: Int32Array, threads: number, thread: number, at: number) {
    this.#counts = counts
    this.#first = at
    this.#own = thread * SLOTS * PLACES + at
    this.#end = threads * SLOTS * PLACES
  }

  total(place: number): number {
    const counts = this.#counts
    let sum = 0
    for (let at = this.#first + place; at < this.#end; at += SLOTS * PLACES) sum += counts[at] as number
    return sum
  }

  add(place: number, by: 1 | -1): void {
    this.#counts[this.#own + place]! += by
  }
}

/** Never 0, which means an empty slot. */
function keyOf(cluster: string): bigint {
  return fnv1a64(cluster) || 1n
}
