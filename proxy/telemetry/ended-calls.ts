import type { OutBuffer, TurnEnd } from '../stream/out-buffer.ts'
import type { CallRecord } from './call-record.ts'

/** More are told of at once, so that what they hold is not held for long. */
const MAX_CALLS = 64

/**
 * Calls that are over and that observers have not been told of. They are told of all together, when the turn of the event loop
 * ends: answers leave first, and code that runs for one call after the other is in the processor's caches, where between the
 * system calls of other work it is not.
 */
export class EndedCalls implements TurnEnd {
  readonly #out: OutBuffer
  readonly #records: CallRecord[] = []
  #count = 0
  #isScheduled = false

  constructor(out: OutBuffer) {
    this.#out = out
  }

  add(record: CallRecord): void {
    record.isUntold = true
    this.#records[this.#count++] = record
    if (this.#count === MAX_CALLS) this.tell()
    else if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#out.atTurnEnd(this)
    }
  }

  onTurnEnd(): void {
    this.#isScheduled = false
    this.tell()
  }

  tell(): void {
    const records = this.#records
    const count = this.#count
    this.#count = 0
    let from = 0
    while (from < count) {
      const { observers } = records[from] as CallRecord
      let to = from
      while (to < count && (records[to] as CallRecord).observers === observers)
        (records[to++] as CallRecord).isUntold = false
      observers.onEnd(records, from, to)
      from = to
    }
  }
}
