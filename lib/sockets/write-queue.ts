import type { Socket } from 'node:net'
import { directDescriptor, finishWrite, writeNow } from './direct-write.ts'
import { BATCH_SIZE, type IoBatch, ioBatch, MIN_BATCH, NOT_DONE } from './io-batch.ts'

/** Most messages that wait. */
const MAX_QUEUED = 256

const BATCH = Symbol('batch')

interface QueuedSocket extends Socket {
  /** The number of the batch that it was in last. */
  [BATCH]?: number
}

/**
 * Then they are counted from 0 again, while the number is a small one, which needs no memory of its own. A socket that bears the number
 * from the round before only has its batch leave early.
 */
const MAX_BATCH = 0x3fff_ffff
let batches = 0

export type WriteBatch = Pick<IoBatch, 'count' | 'addWrite' | 'submit'>

/** Messages for many sockets, all of them parts of one buffer, that are written in one go. */
export class WriteQueue {
  readonly #sockets: QueuedSocket[] = []
  readonly #starts = new Int32Array(MAX_QUEUED)
  readonly #ends = new Int32Array(MAX_QUEUED)
  readonly #ioBatch: () => WriteBatch | undefined
  #length = 0
  // Of the batch that is put together:
  readonly #places = new Int32Array(BATCH_SIZE)
  readonly #results = new Int32Array(BATCH_SIZE)

  constructor(batch: () => WriteBatch | undefined = ioBatch) {
    this.#ioBatch = batch
  }

  get length(): number {
    return this.#length
  }

  get isFull(): boolean {
    return this.#length === MAX_QUEUED
  }

  /** What follows at once on what the same socket was given last is one write with it. */
  add(socket: Socket, start: number, end: number): void {
    const last = this.#length - 1
    if (last >= 0 && this.#sockets[last] === socket && this.#ends[last] === start) {
      this.#ends[last] = end
      return
    }
    this.#sockets[this.#length] = socket
    this.#starts[this.#length] = start
    this.#ends[this.#length++] = end
  }

  /** Writes all, parts of `bytes`, which are at `address`. True says that the bytes are not needed any more: as for `writeNow`. */
  leave(bytes: Buffer, address: number): boolean {
    const length = this.#length
    this.#length = 0
    const batch = length >= MIN_BATCH && address !== 0 ? this.#ioBatch() : undefined
    return batch === undefined
      ? this.#writeEach(length, bytes, address)
      : this.#writeTogether(batch, length, bytes, address)
  }

  #writeEach(length: number, bytes: Buffer, address: number): boolean {
    let allTaken = true
    for (let i = 0; i < length; i++) {
      const socket = this.#sockets[i] as QueuedSocket
      if (!socket.destroyed && !this.#writeOne(i, bytes, address)) allTaken = false
    }
    return allTaken
  }

  #writeOne(place: number, bytes: Buffer, address: number): boolean {
    const socket = this.#sockets[place] as QueuedSocket
    return writeNow(socket, bytes, address, this.#starts[place] as number, this.#ends[place] as number)
  }

  #writeTogether(batch: WriteBatch, length: number, bytes: Buffer, address: number): boolean {
    let allTaken = true
    for (let i = 0; i < length; i++) {
      const socket = this.#sockets[i] as QueuedSocket
      if (socket.destroyed) continue
      const isNext = batch.count === BATCH_SIZE || socket[BATCH] === batches
      if (isNext && !this.#submit(batch, bytes, address)) allTaken = false
      const descriptor = directDescriptor(socket)
      if (descriptor === undefined) {
        if (!this.#writeOne(i, bytes, address)) allTaken = false
        continue
      }
      const start = this.#starts[i] as number
      socket[BATCH] = batches
      this.#places[batch.count] = i
      batch.addWrite(descriptor, address + start, (this.#ends[i] as number) - start)
    }
    return this.#submit(batch, bytes, address) && allTaken
  }

  #submit(batch: WriteBatch, bytes: Buffer, address: number): boolean {
    const { count } = batch
    batch.submit(this.#results)
    batches = batches === MAX_BATCH ? 0 : batches + 1
    let allTaken = true
    for (let i = 0; i < count; i++) {
      const place = this.#places[i] as number
      const taken = this.#results[i] as number
      const isDone = taken === NOT_DONE ? this.#writeOne(place, bytes, address) : this.#finishOne(place, bytes, taken)
      if (!isDone) allTaken = false
    }
    return allTaken
  }

  #finishOne(place: number, bytes: Buffer, taken: number): boolean {
    const socket = this.#sockets[place] as QueuedSocket
    return finishWrite(socket, bytes, this.#starts[place] as number, this.#ends[place] as number, taken)
  }
}
