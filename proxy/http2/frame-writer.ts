import type { Socket } from 'node:net'
import { addressOf, writeNow } from '../../lib/sockets/direct-write.ts'
import type { OutBuffer, TurnEnd } from '../stream/out-buffer.ts'
import { FLAG, FRAME, FRAME_HEADER_BYTES } from './frame.ts'
import type { ByteSink } from './hpack/byte-sink.ts'

/** A connection's frames are handed to the socket when so much has gathered in a turn. */
const FLUSH_BYTES = 56 * 1024
const SLAB_BYTES = 64 * 1024
/** Slabs that are kept for the next turn; each connection needs one only while it has something to say. */
const MAX_SPARE_SLABS = 8

const spareSlabs: Buffer[] = []

/**
 * Puts the frames of one connection together, so that all that is said in one turn of the event loop leaves in one
 * write.
 */
export class FrameWriter implements TurnEnd {
  bytes: Buffer = NO_BYTES
  end = 0
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
    return this.end + this.#socket.writableLength
  }

  reserve(size: number): void {
    const needed = this.end + size
    if (needed <= this.bytes.length) return
    if (this.bytes === NO_BYTES) {
      this.bytes = size <= SLAB_BYTES ? (spareSlabs.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES)) : NO_BYTES
      if (size <= SLAB_BYTES) return
    }
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(larger, 0, 0, this.end)
    this.bytes = larger
  }

  /** Begins a frame; `length` bytes of payload must follow. */
  frame(type: number, flags: number, streamId: number, length: number): void {
    if (this.end >= FLUSH_BYTES) this.flush()
    this.reserve(FRAME_HEADER_BYTES + length)
    if (!this.#isScheduled) {
      this.#isScheduled = true
      this.#out.atTurnEnd(this)
    }
    const { bytes, end } = this
    bytes[end] = length >> 16
    bytes[end + 1] = length >> 8
    bytes[end + 2] = length
    bytes[end + 3] = type
    bytes[end + 4] = flags
    bytes[end + 5] = streamId >> 24
    bytes[end + 6] = streamId >> 16
    bytes[end + 7] = streamId >> 8
    bytes[end + 8] = streamId
    this.end = end + FRAME_HEADER_BYTES
  }

  /** A header block, cut into CONTINUATION frames when it is longer than the peer's frames. */
  headers(streamId: number, flags: number, block: ByteSink, maxFrameBytes: number): void {
    const { bytes, end } = block
    let at = 0
    do {
      const size = Math.min(maxFrameBytes, end - at)
      const last = at + size === end ? FLAG.endHeaders : 0
      if (at === 0) this.frame(FRAME.headers, flags | last, streamId, size)
      else this.frame(FRAME.continuation, last, streamId, size)
      bytes.copy(this.bytes, this.end, at, at + size)
      this.end += size
      at += size
    } while (at < end)
  }

  /** One DATA frame. */
  data(streamId: number, flags: number, source: Buffer, from: number, to: number): void {
    this.frame(FRAME.data, flags, streamId, to - from)
    this.#lastDataAt = this.end - 5
    this.#lastDataStream = streamId
    source.copy(this.bytes, this.end, from, to)
    this.end += to - from
  }

  /** Ends a stream: by the flag of its last DATA frame if that is still here, else by an empty one. */
  endStream(streamId: number): void {
    if (this.#lastDataStream === streamId && this.#lastDataAt >= 0) {
      this.bytes[this.#lastDataAt] = (this.bytes[this.#lastDataAt] as number) | FLAG.endStream
    } else this.frame(FRAME.data, FLAG.endStream, streamId, 0)
  }

  uint32(value: number): void {
    const { bytes, end } = this
    bytes[end] = value >>> 24
    bytes[end + 1] = value >>> 16
    bytes[end + 2] = value >>> 8
    bytes[end + 3] = value
    this.end = end + 4
  }

  uint16(value: number): void {
    this.bytes[this.end] = value >>> 8
    this.bytes[this.end + 1] = value
    this.end += 2
  }

  copy(source: Buffer, from: number, to: number): void {
    source.copy(this.bytes, this.end, from, to)
    this.end += to - from
  }

  onTurnEnd(): void {
    this.#isScheduled = false
    this.flush()
    const { bytes } = this
    if (bytes === NO_BYTES) return
    this.bytes = NO_BYTES
    if (bytes.length === SLAB_BYTES && spareSlabs.length < MAX_SPARE_SLABS) spareSlabs.push(bytes)
  }

  flush(): void {
    const { end } = this
    if (end === 0) return
    const socket = this.#socket
    const { bytes } = this
    this.end = 0
    this.#lastDataAt = -1
    if (socket.destroyed || socket.writableEnded) return
    const isTaken = writeNow(socket, bytes, addressOf(bytes), 0, end)
    // What was not taken at once is still read from this slab.
    if (!isTaken) this.bytes = NO_BYTES
  }
}

const NO_BYTES = Buffer.alloc(0)
