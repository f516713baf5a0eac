import { addressOf } from './direct-write.ts'
import { BATCH_SIZE, type IoBatch } from './io-batch.ts'
import { LentMemory } from './lent-memory.ts'

/** Most messages are shorter. Of a longer one the rest is read by itself, into more. */
const SLOT_BYTES = 16 * 1024

/** Reads of many sockets at once, each into memory of its own, which is made when it is first needed. */
export class ReadBatch {
  readonly #batch: IoBatch
  readonly #memories: LentMemory[] = []
  readonly #addresses: number[] = []
  readonly #results = new Int32Array(BATCH_SIZE)

  constructor(batch: IoBatch) {
    this.#batch = batch
  }

  /** How many were added since the last read. */
  get count(): number {
    return this.#batch.count
  }

  get isFull(): boolean {
    return this.#batch.count === BATCH_SIZE
  }

  /** For a descriptor that is not waited for, once in a batch. */
  add(descriptor: number): void {
    const place = this.#batch.count
    if (place === this.#memories.length) this.#addMemory()
    this.#batch.addRead(descriptor, this.#addresses[place] as number, SLOT_BYTES)
  }

  #addMemory(): void {
    const memory = new LentMemory(SLOT_BYTES)
    this.#memories.push(memory)
    this.#addresses.push(addressOf(memory.bytes))
  }

  read(): void {
    this.#batch.submit(this.#results)
  }

  /** How many bytes the one that was added as number `place` got; else as of `IoBatch.submit`. */
  result(place: number): number {
    return this.#results[place] as number
  }

  /** Where they are. */
  memory(place: number): LentMemory {
    return this.#memories[place] as LentMemory
  }
}
