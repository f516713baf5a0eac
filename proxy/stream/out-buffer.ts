import type { Socket } from 'node:net'
import { putLatin1 } from '../../lib/latin1.ts'
import { addressOf } from '../../lib/sockets/direct-write.ts'
import { WriteQueue } from '../../lib/sockets/write-queue.ts'
import { copyBytes, viewOf, WORDS_BYTES } from '../../lib/words.ts'
import { TurnPacer } from './turn-pacer.ts'

const SLAB_BYTES = 64 * 1024
/** Pieces up to this size are gathered with what else is written in a turn; larger ones leave on their own. */
export const GATHER_BYTES = 4096
/** Texts up to this length are copied by a loop, which beats a call into the runtime. */
const LOOP_CHARS = 32

/** Claims the buffer for a message that is added and written without anyone coming in between. */
export const AT_ONCE: { flush(): void } = { flush() {} }

/** Something that has bytes waiting in the buffer. */
export interface OutOwner {
  flush(): void
}

/** Something that has more to do when a turn of the event loop ends. */
export interface TurnEnd {
  onTurnEnd(): void
}

/**
 * Where messages are put together before they leave: one for the whole thread, since a message is put together in one
 * go. Whoever begins while another's bytes wait has them flushed first. All that is written in one turn of the event
 * loop leaves at its end, one write a socket. Bytes that the kernel took at once leave their place free again, so that
 * in the usual case nothing is ever allocated.
 */
export class OutBuffer {
  #bytes = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #view = viewOf(this.#bytes)
  #address = addressOf(this.#bytes)
  #start = 0
  #end = 0
  #owner: OutOwner | undefined
  readonly #queue = new WriteQueue()
  #isScheduled = false
  /** The first #waiterCount wait: an array that is made empty loses its memory. */
  #waiters: (TurnEnd | undefined)[] = []
  #spareWaiters: (TurnEnd | undefined)[] = []
  #waiterCount = 0
  /** Is told of each turn that ends, and may hold it up. */
  readonly pacer: TurnPacer

  constructor(pacer = new TurnPacer()) {
    this.pacer = pacer
  }

  /** Bytes of the owner that wait. */
  get length(): number {
    return this.#end - this.#start
  }

  isOwnedBy(owner: OutOwner): boolean {
    return this.#owner === owner && this.#end > this.#start
  }

  /** Must be called before anything is added; `owner` is asked to flush when another comes. */
  claim(owner: OutOwner): void {
    if (this.#owner === owner) return
    if (this.#end > this.#start) this.#owner?.flush()
    this.#owner = owner
  }

  /** Copies bytes of a message that was received, or such as are kept. `view` is of the same ones. */
  copy(source: Buffer, from: number, to: number, view?: DataView): void {
    const length = to - from
    this.#reserve(length)
    if (view !== undefined && length <= WORDS_BYTES) copyBytes(view, from, this.#view, this.#end, length)
    else source.copy(this.#bytes, this.#end, from, to)
    this.#end += length
  }

  /** Adds latin1 text. */
  text(text: string): void {
    const { length } = text
    this.#reserve(length)
    if (length > LOOP_CHARS) putLatin1(this.#bytes, this.#end, text)
    else {
      const bytes = this.#bytes
      const end = this.#end
      for (let i = 0; i < length; i++) bytes[end + i] = text.charCodeAt(i)
    }
    this.#end += length
  }

  /** Forgets the bytes of an owner that cannot send them any more. */
  discard(owner: OutOwner): void {
    if (this.#owner !== owner) return
    this.#owner = undefined
    this.#end = this.#start
  }

  /** The owner's bytes as a copy of their own. */
  take(): Buffer {
    const copy = Buffer.from(this.#bytes.subarray(this.#start, this.#end))
    this.#end = this.#start
    return copy
  }

  /**
   * Gives the owner's bytes to a socket. They leave at the end of this turn of the event loop, together with what others
   * write in it: writes in a row are cheaper than writes between other work, and wake a sleeping peer once. False asks
   * to wait for the socket's `drain`.
   */
  writeTo(socket: Socket): boolean {
    this.#owner = undefined
    if (this.#end === this.#start) return !socket.writableNeedDrain
    this.#queue.add(socket, this.#start, this.#end)
    this.#start = this.#end
    if (this.#queue.isFull) this.leave()
    else this.#schedule()
    return !socket.writableNeedDrain
  }

  /** Lets everything leave that was given so far. Must be called before a socket is written to or ended directly. */
  leave(): void {
    if (this.#queue.length === 0) return
    // The kernel has a copy of what it took; what it did not take is still read from this slab.
    if (!this.#queue.leave(this.#bytes, this.#address)) this.#renew(0)
    else if (this.#start === this.#end) {
      this.#start = 0
      this.#end = 0
    }
  }

  /** Calls back once, when this turn of the event loop ends. */
  atTurnEnd(waiter: TurnEnd): void {
    this.#waiters[this.#waiterCount++] = waiter
    this.#schedule()
  }

  /** Until `endTurn`, which must follow, the end of the turn is not left to the event loop. */
  beginTurn(): void {
    this.#isScheduled = true
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(this.endTurn)
  }

  readonly endTurn = () => {
    this.#isScheduled = false
    this.leave()
    const waiters = this.#waiters
    const count = this.#waiterCount
    if (count === 0) return
    this.#waiters = this.#spareWaiters
    this.#spareWaiters = waiters
    this.#waiterCount = 0
    for (let i = 0; i < count; i++) {
      waiters[i]?.onTurnEnd()
      waiters[i] = undefined
    }
    this.pacer.onTurnEnd()
  }

  #reserve(size: number): void {
    if (this.#end + size <= this.#bytes.length) return
    this.leave()
    if (this.#end + size > this.#bytes.length) this.#renew(size)
  }

  /** Takes a new slab; what waits moves there, what was handed to a socket stays where it is. */
  #renew(size: number): void {
    const waiting = this.#bytes.subarray(this.#start, this.#end)
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, waiting.length + size))
    this.#view = viewOf(this.#bytes)
    this.#address = addressOf(this.#bytes)
    waiting.copy(this.#bytes, 0)
    this.#start = 0
    this.#end = waiting.length
  }
}
