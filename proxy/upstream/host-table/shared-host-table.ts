import type { Clock } from '../../../lib/clock.ts'
import { fnv1a64 } from '../../../lib/fnv.ts'
import { type ActiveRequests, FIELDS, HostRecord, TIMES } from './host-record.ts'
import { type HostTable, newRecord } from './host-table.ts'
import { ThreadLock } from './lock.ts'

/** Hosts that all threads know of; of others, beyond these, each thread finds out for itself. */
export const MAX_SHARED_HOSTS = 16_384
/** Slots for them: half stay empty, so that looking one up is quick. */
const SLOTS = MAX_SHARED_HOSTS * 2
/** No host, and none after it that was put there for want of room. */
const EMPTY = 0n
/** No host any more. */
const LEFT = 1n
/** A leader that was not heard of for so long has lost the lead. */
const LEASE_MS = 1000

/** Words beside the table: who has the lock, the lead, how often a flag changed, and how many hosts there are. */
const LOCK = 0
const LEADER = 1
const GENERATION = 2
const COUNT = 3
const WORDS = 4

/** The memory of a SharedHostTable, as it is given to other threads. */
export interface SharedHostMemory {
  readonly threads: number
  readonly words: SharedArrayBuffer
  /** Until when the leader leads. */
  readonly lease: SharedArrayBuffer
  readonly keys: SharedArrayBuffer
  readonly fields: SharedArrayBuffer
  readonly times: SharedArrayBuffer
  /** For each thread, which slots it holds. */
  readonly held: SharedArrayBuffer
  /** For each thread, its requests under way. */
  readonly active: SharedArrayBuffer
}

export function sharedHostMemory(threads: number): SharedHostMemory {
  return {
    threads,
    words: new SharedArrayBuffer(WORDS * 4),
    lease: new SharedArrayBuffer(8),
    keys: new SharedArrayBuffer(SLOTS * 8),
    fields: new SharedArrayBuffer(SLOTS * FIELDS * 4),
    times: new SharedArrayBuffer(SLOTS * TIMES * 8),
    held: new SharedArrayBuffer(threads * SLOTS),
    active: new SharedArrayBuffer(threads * SLOTS * 4),
  }
}

/** Forgets what a thread that has ended held: its lock, its lead, its requests and its hosts. */
export function clearHostThread(memory: SharedHostMemory, thread: number): void {
  const words = new Int32Array(memory.words)
  ThreadLock.free(words.subarray(LOCK, LOCK + 1), thread)
  Atomics.compareExchange(words, LEADER, thread + 1, 0)
  new Int32Array(memory.active).fill(0, thread * SLOTS, (thread + 1) * SLOTS)
  new Slots(memory, thread).leaveAll()
}

/** Which host has which slot. Changed under the lock only. */
class Slots {
  readonly #keys: BigInt64Array
  readonly #held: Uint8Array
  readonly #words: Int32Array
  readonly #threads: number
  readonly #thread: number
  readonly #lock: ThreadLock

  constructor(memory: SharedHostMemory, thread: number) {
    this.#keys = new BigInt64Array(memory.keys)
    this.#held = new Uint8Array(memory.held)
    this.#words = new Int32Array(memory.words)
    this.#threads = memory.threads
    this.#thread = thread
    this.#lock = new ThreadLock(this.#words.subarray(LOCK, LOCK + 1), thread)
  }

  locked(run: () => void): boolean {
    return this.#lock.run(run)
  }

  /** The slot of a key, or -1 when there is none to be had. A new one is made ready by `clear`. */
  take(key: bigint, clear: (slot: number) => void): number {
    let slot = -1
    this.#lock.run(() => {
      slot = this.#find(key)
      if (slot < 0) return
      if (this.#keys[slot] !== key) {
        clear(slot)
        this.#keys[slot] = key
        this.#words[COUNT]! += 1
      }
      this.#held[this.#thread * SLOTS + slot] = 1
    })
    return slot
  }

  /** Its slot, or else the first that is free. */
  #find(key: bigint): number {
    const first = Number(BigInt.asUintN(32, key)) % SLOTS
    let free = -1
    for (let tried = 0; tried < SLOTS; tried++) {
      const slot = (first + tried) % SLOTS
      const found = this.#keys[slot]
      if (found === key) return slot
      if (found !== EMPTY && found !== LEFT) continue
      if (free < 0) free = slot
      if (found === EMPTY) break
    }
    return (this.#words[COUNT] as number) < MAX_SHARED_HOSTS ? free : -1
  }

  leave(slot: number): void {
    this.#lock.run(() => this.#leave(slot))
  }

  /** Every slot that this thread holds. */
  leaveAll(): void {
    this.#lock.run(() => {
      const from = this.#thread * SLOTS
      for (let slot = 0; slot < SLOTS; slot++) if (this.#held[from + slot] === 1) this.#leave(slot)
    })
  }

  #leave(slot: number): void {
    this.#held[this.#thread * SLOTS + slot] = 0
    for (let at = slot; at < this.#threads * SLOTS; at += SLOTS) if (this.#held[at] === 1) return
    this.#words[COUNT]! -= 1
    this.#keys[slot] = LEFT
    // What ends a chain of slots need not be looked past.
    if (this.#keys[(slot + 1) % SLOTS] !== EMPTY) return
    for (let last = slot; this.#keys[last] === LEFT; last = (last + SLOTS - 1) % SLOTS) this.#keys[last] = EMPTY
  }
}

/**
 * One truth about hosts for all threads: each writes its own count of requests and sums those of all; what detectors and
 * checks find out is changed atomically, in one place. A host has its place while any thread has the host.
 */
export class SharedHostTable implements HostTable {
  readonly isShared = true
  readonly #memory: SharedHostMemory
  readonly #thread: number
  readonly #clock: Clock
  readonly #aheadMs: number
  readonly #words: Int32Array
  readonly #lease: Float64Array
  readonly #fields: Int32Array
  readonly #times: Float64Array
  readonly #active: Int32Array
  readonly #slots: Slots

  constructor(memory: SharedHostMemory, thread: number, clock: Clock) {
    this.#memory = memory
    this.#thread = thread
    this.#clock = clock
    // Each thread's own clock begins with the thread.
    this.#aheadMs = clock.wallMs() - clock.nowMs()
    this.#words = new Int32Array(memory.words)
    this.#lease = new Float64Array(memory.lease)
    this.#fields = new Int32Array(memory.fields)
    this.#times = new Float64Array(memory.times)
    this.#active = new Int32Array(memory.active)
    this.#slots = new Slots(memory, thread)
  }

  /** How many hosts have a place. */
  get size(): number {
    return this.#words[COUNT] as number
  }

  get isLeader(): boolean {
    return Atomics.load(this.#words, LEADER) === this.#thread + 1
  }

  get generation(): number {
    return Atomics.load(this.#words, GENERATION)
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.#aheadMs
  }

  claim(cluster: string, host: string, flags: number): HostRecord {
    const slot = this.#slots.take(keyOf(cluster, host), (free) => this.#recordOf(free).clear(flags))
    return slot < 0 ? newRecord(flags) : this.#recordOf(slot)
  }

  release({ slot }: HostRecord): void {
    if (slot < 0) return
    this.#active[this.#thread * SLOTS + slot] = 0
    this.#slots.leave(slot)
  }

  announce(): void {
    Atomics.add(this.#words, GENERATION, 1)
  }

  locked(run: () => void): boolean {
    return this.#slots.locked(run)
  }

  renewLead(): void {
    const nowMs = this.nowMs()
    const leader = Atomics.load(this.#words, LEADER)
    const isOver = leader === 0 || nowMs > (this.#lease[0] as number)
    if (leader !== this.#thread + 1) {
      if (!isOver || Atomics.compareExchange(this.#words, LEADER, leader, this.#thread + 1) !== leader) return
    }
    this.#lease[0] = nowMs + LEASE_MS
  }

  #recordOf(slot: number): HostRecord {
    const active = new SharedActive(this.#active, this.#memory.threads, this.#thread, slot)
    return new HostRecord(this.#fields, this.#times, slot, active)
  }
}

class SharedActive implements ActiveRequests {
  readonly #counts: Int32Array
  readonly #slot: number
  readonly #own: number
  readonly #end: number

  constructor(counts: Int32Array, threads: number, thread: number, slot: number) {
    this.#counts = counts
    this.#slot = slot
    this.#own = thread * SLOTS + slot
    this.#end = threads * SLOTS
  }

  get total(): number {
    let sum = 0
    for (let at = this.#slot; at < this.#end; at += SLOTS) sum += this.#counts[at] as number
    return sum
  }

  add(by: 1 | -1): void {
    this.#counts[this.#own]! += by
  }
}

/** Never a number that marks a slot without a host. */
function keyOf(cluster: string, host: string): bigint {
  // No name has a line break.
  const hash = fnv1a64(`${cluster}\n${host}`)
  return hash === EMPTY || hash === LEFT ? 2n : hash
}
