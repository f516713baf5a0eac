import type { Clock } from '../../../lib/clock.ts'
import { FIELDS, HostRecord, TIMES } from './host-record.ts'

/** Where is kept what is known of hosts. */
export interface HostTable {
  /** Whether other threads serve the same hosts. */
  readonly isShared: boolean
  /** Whether this thread does what one thread does for all: sweeps and active checks. */
  readonly isLeader: boolean
  /** Changes with every flag that a thread sets for others to see. */
  readonly generation: number
  /** Milliseconds, the same in all threads. */
  nowMs(): number
  /** What is known of a host of a cluster; of one that nobody knows yet, these flags. */
  claim(cluster: string, host: string, flags: number): HostRecord
  /** This thread no longer has the host. What is known of it is forgotten when no thread has it. */
  release(record: HostRecord): void
  /** A flag was changed that others are to see. */
  announce(): void
  /** Runs it while no other thread does; false when that could not be had in time. */
  locked(run: () => void): boolean
  /** Takes or keeps the lead, if nobody else has it. To be called a few times a second. */
  renewLead(): void
}

/** Of a process with one thread. */
export class OwnHostTable implements HostTable {
  readonly isShared = false
  readonly isLeader = true
  readonly generation = 0
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  claim(_cluster: string, _host: string, flags: number): HostRecord {
    return newRecord(flags)
  }

  release(): void {}
  announce(): void {}

  locked(run: () => void): boolean {
    run()
    return true
  }

  renewLead(): void {}
}

/** A record in memory of its own. */
export function newRecord(flags: number): HostRecord {
  const record = new HostRecord(new Int32Array(FIELDS), new Float64Array(TIMES))
  record.clear(flags)
  return record
}
