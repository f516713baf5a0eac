import type { Socket } from 'node:net'

const SLAB_BYTES = 64 * 1024
/** A slab with less room than this is left to whoever still writes from it. */
const MIN_ROOM_BYTES = 24 * 1024
/** Texts up to this length are copied by a loop, which beats a call into the runtime. */
const LOOP_CHARS = 48

/** Claims the buffer for a message that is added and written without anyone coming in between. */
export const AT_ONCE: { flush(): void } = { flush() {} }

/** Something that has bytes waiting in the buffer. */
export interface OutOwner {
  flush(): void
}

/**
 * Where messages are put together before they leave in one write: one for the whole thread, since a message is
 * written in one go. Whoever begins while another's bytes wait has them flushed first. Bytes that the kernel took at
 * once leave their place free again, so that in the usual case nothing is ever allocated.
 */
export class OutBuffer {
  #bytes = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #start = 0
  #end = 0
  #owner: OutOwner | undefined

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

  /** Copies bytes of a message that was received. */
  copy(source: Buffer, from: number, to: number): void {
    this.#reserve(to - from)
    source.copy(this.#bytes, this.#end, from, to)
    this.#end += to - from
  }

  /** Adds latin1 text. */
  text(text: string): void {
    const { length } = text
    this.#reserve(length)
    if (length > LOOP_CHARS) this.#bytes.write(text, this.#end, 'latin1')
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

  /** Hands the owner's bytes to its socket. False asks to wait for the socket's `drain`. */
  writeTo(socket: Socket): boolean {
    this.#owner = undefined
    if (this.#end === this.#start) return !socket.writableNeedDrain
    const isWritable = socket.write(this.#bytes.subarray(this.#start, this.#end))
    if (socket.writableLength === 0) this.#end = this.#start
    else {
      this.#start = this.#end
      if (SLAB_BYTES - this.#end < MIN_ROOM_BYTES) this.#renew(0)
    }
    return isWritable
  }

  #reserve(size: number): void {
    if (this.#end + size > this.#bytes.length) this.#renew(size)
  }

  /** Takes a new slab; what waits moves there, what was handed to a socket stays where it is. */
  #renew(size: number): void {
    const waiting = this.#bytes.subarray(this.#start, this.#end)
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, waiting.length + size))
    waiting.copy(this.#bytes, 0)
    this.#start = 0
    this.#end = waiting.length
  }
}
