import type { Socket } from 'node:net'
import { addressOf, writeNow } from '../../lib/sockets/direct-write.ts'
import { copyBytes, viewOf } from '../../lib/words.ts'
import type { OutBuffer, TurnEnd } from '../stream/out-buffer.ts'
import { FLAG, FRAME, FRAME_HEADER_BYTES } from './frame.ts'
import type { ByteSink } from './hpack/byte-sink.ts'

/** A connection's frames are handed to the socket when so much has gathered in a turn. */
const FLUSH_BYTES = 56 * 1024
const SLAB_BYTES = 64 * 1024
/** Up to this size a copy by words beats a call into the runtime. */
const WORDS_BYTES = 96
/** Slabs that are kept for the next turn; each connection needs one only while it has something to say. */
const MAX_SPARE_SLABS = 8

/** Where frames are put together. */
class Slab {
  readonly bytes: Buffer
  /** The same bytes. */
  readonly view: DataView

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.view = viewOf(bytes)
  }
}

const NO_SLAB = new Slab(Buffer.alloc(0))
const spareSlabs: Slab[] = []

/**
 * Puts the frames of one connection together, so that all that is said in one turn of the event loop leaves in one
 * write.
 */
export class FrameWriter implements TurnEnd {
  #slab = NO_SLAB
  #end = 0
  readonly #socket: Socket
  readonly #out: OutBuffer
  #isScheduled = false
  /** Where the flags of the last DATA frame are, and whose it is, while it has not left. */
  #lastDataAt = -1
  #lastDataStream = 0

  constructor(socket: Socket, out: OutBuffer) {
    this.#socket = socket
    this.#out = out
  }

  /** The socket asks to wait for its `drain`. */
  get needsDrain(): boolean {
    return this.#socket.writableNeedDrain
  }

  /** Bytes that wait for the end of the turn or for the peer to read. */
  get waitingBytes(): number {
    return this.#end + this.#socket.writableLength
  }

  #reserve(size: number): void {
    const needed = this.#end + size
    const { bytes } = this.#slab
    if (needed <= bytes.length) return
    if (this.#slab === NO_SLAB && size <= SLAB_BYTES) {
      this.#slab = spareSlabs.pop() ?? new Slab(Buffer.allocUnsafeSlow(SLAB_BYTES))
      return
    }
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, bytes.length * 2))
    bytes.copy(larger, 0, 0, this.#end)
    this.#slab = new Slab(larger)
  }

  /** Begins a frame; `length` bytes of payload must follow. */
  frame(type: number, flags: number, streamId: number, length: number): void {
    const size = FRAME_HEADER_BYTES + length
    // A slab that had to grow would not be one of those that are used again.
    if (this.#end >= FLUSH_BYTES || this.#end + size > SLAB_BYTES) this.flush()
    this.#reserve(size)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#out.atTurnEnd(this)
    }
    const { bytes } = this.#slab
    const end = this.#end
    bytes[end] = length >> 16
    bytes[end + 1] = length >> 8
    bytes[end + 2] = length
    bytes[end + 3] = type
    bytes[end + 4] = flags
    bytes[end + 5] = streamId >> 24
    bytes[end + 6] = streamId >> 16
    bytes[end + 7] = streamId >> 8
    bytes[end + 8] = streamId
    this.#end = end + FRAME_HEADER_BYTES
  }

  /** A header block, cut into CONTINUATION frames when it is longer than the peer's frames. */
  headers(streamId: number, flags: number, block: ByteSink, maxFrameBytes: number): void {
    const { bytes, view, end } = block
    let at = 0
    do {
      const size = Math.min(maxFrameBytes, end - at)
      const last = at + size === end ? FLAG.endHeaders : 0
      if (at === 0) this.frame(FRAME.headers, flags | last, streamId, size)
      else this.frame(FRAME.continuation, last, streamId, size)
      if (size <= WORDS_BYTES) copyBytes(view, at, this.#slab.view, this.#end, size)
      else bytes.copy(this.#slab.bytes, this.#end, at, at + size)
      this.#end += size
      at += size
    } while (at < end)
  }

  /** One DATA frame. */
  data(streamId: number, flags: number, source: Buffer, from: number, to: number): void {
    this.frame(FRAME.data, flags, streamId, to - from)
    this.#lastDataAt = this.#end - 5
    this.#lastDataStream = streamId
    source.copy(this.#slab.bytes, this.#end, from, to)
    this.#end += to - from
  }

  /** Ends a stream: by the flag of its last DATA frame if that is still here, else by an empty one. */
  endStream(streamId: number): void {
    if (this.#lastDataStream === streamId && this.#lastDataAt >= 0) {
      const { bytes } = this.#slab
      bytes[this.#lastDataAt] = (bytes[this.#lastDataAt] as number) | FLAG.endStream
    } else this.frame(FRAME.data, FLAG.endStream, streamId, 0)
  }

  uint32(value: number): void {
    this.#slab.view.setUint32(this.#end, value)
    this.#end += 4
  }

  uint16(value: number): void {
    this.#slab.view.setUint16(this.#end, value)
    this.#end += 2
  }

  /** Bytes of the frame that was begun, or such as come before all frames. */
  copy(source: Buffer, from: number, to: number): void {
    this.#reserve(to - from)
    source.copy(this.#slab.bytes, this.#end, from, to)
    this.#end += to - from
  }

  onTurnEnd(): void {
    this.#isScheduled = false
    this.flush()
    const slab = this.#slab
    if (slab === NO_SLAB) return
    this.#slab = NO_SLAB
    if (slab.bytes.length === SLAB_BYTES && spareSlabs.length < MAX_SPARE_SLABS) spareSlabs.push(slab)
  }

  flush(): void {
    const end = this.#end
    if (end === 0) return
    const socket = this.#socket
    const { bytes } = this.#slab
    this.#end = 0
    this.#lastDataAt = -1
    if (socket.destroyed || socket.writableEnded) return
    this.#out.pacer.onFrames()
    const isTaken = writeNow(socket, bytes, addressOf(bytes), 0, end)
    // What was not taken at once is still read from this slab.
    if (!isTaken) this.#slab = NO_SLAB
  }
}
