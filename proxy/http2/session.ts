import type { Socket } from 'node:net'
import { sliceOf } from '../../lib/sockets/lent-memory.ts'
import type { TimerWheel } from '../../lib/timer-wheel.ts'
import type { OutBuffer } from '../stream/out-buffer.ts'
import { FloodGuard, type FloodKind } from './flood-guard.ts'
import {
  DEFAULT_WINDOW_BYTES,
  ERROR_CODE,
  FLAG,
  FRAME,
  MAX_WINDOW_BYTES,
  MIN_MAX_FRAME_BYTES,
  SETTING,
} from './frame.ts'
import { type FrameHandler, FrameReader } from './frame-reader.ts'
import { FrameWriter } from './frame-writer.ts'
import { ByteSink } from './hpack/byte-sink.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { FieldLines } from './hpack/field-lines.ts'
import { HPACK_ERROR } from './hpack/hpack-error.ts'
import { PeerSettings } from './settings.ts'
import type { Http2Stats } from './stats.ts'
import type { Http2Stream } from './stream.ts'
import { StreamTable } from './stream-table.ts'

/** Where all connections of this thread decode and encode header blocks: each is done before the next begins. */
export const LINES = new FieldLines()
export const BLOCK = new ByteSink()

/** Credit that each stream gets, which bounds what a stream that nobody reads can hold. */
export const STREAM_WINDOW_BYTES = 256 * 1024
/** Credit of a whole connection. It is given back as bytes come: the bound is that of the streams. */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024
const HEADER_TABLE_BYTES = 4096
/** Bounds of one header block as it comes. */
const MAX_BLOCK_BYTES = 128 * 1024
const MAX_CONTINUATIONS = 64
/** What a peer that reads nothing may leave waiting of answers to its control frames. */
const MAX_WAITING_CONTROL_BYTES = 1024 * 1024
/** Streams that we have reset and on which the peer may still be sending. */
const RECENT_RESETS = 1024

export interface SessionOptions {
  readonly isServer: boolean
  readonly maxConcurrentStreams: number
  readonly maxHeaderListBytes: number
  readonly takesExtendedConnect: boolean
  /** Names pass in the case they have: agreed between our own proxies only. */
  readonly keepsCase: boolean
}

/**
 * One HTTP/2 connection, whichever side we are on: frames, settings, flow control, header blocks, floods (RFC 9113).
 * What streams mean is the business of the subclasses.
 */
export abstract class Http2Session<Stream extends Http2Stream> implements FrameHandler {
  /** Owned by the listener or the pool. */
  rosterIndex = -1
  readonly socket: Socket
  readonly writer: FrameWriter
  readonly wheel: TimerWheel
  readonly stats: Http2Stats
  readonly peer = new PeerSettings()
  readonly encoder = new HpackEncoder()
  readonly guard: FloodGuard
  readonly options: SessionOptions
  readonly streams = new StreamTable<Stream>()
  /** Streams with bytes that wait for credit. */
  readonly blocked = new Set<Http2Stream>()
  /** Streams that wait for the socket to drain. */
  readonly awaitingDrain = new Set<Http2Stream>()
  /** Credit for what we send on the connection. */
  sendWindow = DEFAULT_WINDOW_BYTES
  /** Highest stream the peer has opened. */
  lastPeerStreamId = 0
  isClosed = false
  isGoingAway = false
  readonly #decoder = new HpackDecoder(HEADER_TABLE_BYTES)
  readonly #reader = new FrameReader()
  readonly #recentResets = new Int32Array(RECENT_RESETS)
  #recentResetAt = 0
  #receiveWindow = CONNECTION_WINDOW_BYTES
  #unacked = 0
  #hasSettings = false
  /** The header block that waits for its CONTINUATION. */
  #blockStreamId = 0
  #blockFlags = 0
  #blockParts: Buffer[] = []
  #blockBytes = 0
  #selfDependent = false
  /** The DATA frame under way. */
  #dataStream: Stream | undefined
  #dataStreamId = 0
  #dataFlags = 0

  constructor(socket: Socket, out: OutBuffer, wheel: TimerWheel, stats: Http2Stats, options: SessionOptions) {
    this.socket = socket
    this.writer = new FrameWriter(socket, out)
    this.wheel = wheel
    this.stats = stats
    this.options = options
    this.guard = new FloodGuard(wheel.coarseNowMs)
    this.#decoder.allowUpperCase = options.keepsCase
  }

  // === what subclasses do with it ===

  /**
   * A header block came; its fields are in LINES. `verdict` is 0, or HPACK_ERROR.tooLarge or .malformed, and then there
   * are none. Returns a connection error or 0.
   */
  protected abstract onHeaders(streamId: number, endStream: boolean, verdict: number): number
  /** Whether a stream has not been opened yet. */
  protected abstract isIdle(streamId: number): boolean
  protected abstract onGoaway(lastStreamId: number, code: number): void
  /** The connection is over; every stream that is left has to be told. */
  protected abstract onSessionClosed(detail: string): void
  protected onSettings(): void {}
  protected onPingAck(): void {}

  // === bytes ===

  protected get isInFrame(): boolean {
    return this.#reader.isInFrame || this.#blockStreamId !== 0
  }

  protected mayHoldData(bytes: Buffer): boolean {
    return this.#reader.mayHoldData(bytes)
  }

  protected readFrames(bytes: Buffer, from: number): void {
    const error = this.#reader.read(bytes, from, this)
    if (error > 0) this.fail(error)
  }

  /** Says what we are, and gives the connection its credit. */
  protected writeSettings(): void {
    const { writer, options } = this
    const settings: [number, number][] = [
      [SETTING.initialWindowSize, STREAM_WINDOW_BYTES],
      [SETTING.maxHeaderListSize, options.maxHeaderListBytes],
    ]
    if (options.isServer) settings.push([SETTING.maxConcurrentStreams, options.maxConcurrentStreams])
    else settings.push([SETTING.enablePush, 0])
    if (options.takesExtendedConnect) settings.push([SETTING.enableConnectProtocol, 1])
    writer.frame(FRAME.settings, 0, 0, settings.length * 6)
    for (const [id, value] of settings) {
      writer.uint16(id)
      writer.uint32(value)
    }
    this.#writeWindowUpdate(0, CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)
  }

  // === frames ===

  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): number {
    if (this.isClosed) return ERROR_CODE.noError
    if (!this.#hasSettings) {
      if (type !== FRAME.settings || (flags & FLAG.ack) !== 0) return ERROR_CODE.protocolError
      this.#hasSettings = true
    }
    if (this.#blockStreamId !== 0 && (type !== FRAME.continuation || streamId !== this.#blockStreamId)) {
      return ERROR_CODE.protocolError
    }
    switch (type) {
      case FRAME.headers:
        return this.#onHeadersFrame(flags, streamId, bytes, start, end)
      case FRAME.continuation:
        return this.#onContinuation(flags, bytes, start, end)
      case FRAME.priority:
        return this.#onPriority(streamId, bytes, start, end)
      case FRAME.rstStream:
        return this.#onRstStream(streamId, bytes, start, end)
      case FRAME.settings:
        return this.#onSettingsFrame(flags, streamId, bytes, start, end)
      case FRAME.pushPromise:
        return ERROR_CODE.protocolError
      case FRAME.ping:
        return this.#onPing(flags, streamId, bytes, start, end)
      case FRAME.goaway:
        return this.#onGoawayFrame(streamId, bytes, start, end)
      case FRAME.windowUpdate:
        return this.#onWindowUpdate(streamId, bytes, start, end)
      default:
        return this.#allow('idle')
    }
  }

  #onHeadersFrame(flags: number, streamId: number, bytes: Buffer, from: number, to: number): number {
    if (streamId === 0) return ERROR_CODE.protocolError
    let start = from
    let end = to
    if ((flags & FLAG.padded) !== 0) {
      if (start === end) return ERROR_CODE.frameSizeError
      end -= bytes[start++] as number
    }
    this.#selfDependent = false
    if ((flags & FLAG.priority) !== 0) {
      if (end - start < 5) return ERROR_CODE.frameSizeError
      this.#selfDependent = (bytes.readUInt32BE(start) & 0x7fffffff) === streamId
      start += 5
    }
    if (start > end) return ERROR_CODE.protocolError
    if ((flags & FLAG.endHeaders) !== 0) return this.#onBlock(streamId, flags, bytes, start, end)
    this.#blockStreamId = streamId
    this.#blockFlags = flags
    this.#blockParts = [Buffer.from(bytes.subarray(start, end))]
    this.#blockBytes = end - start
    return 0
  }

  #onContinuation(flags: number, bytes: Buffer, start: number, end: number): number {
    if (this.#blockStreamId === 0) return ERROR_CODE.protocolError
    this.#blockBytes += end - start
    const isLast = (flags & FLAG.endHeaders) !== 0
    if (this.#blockBytes > MAX_BLOCK_BYTES || (!isLast && this.#blockParts.length >= MAX_CONTINUATIONS)) {
      return this.#flood()
    }
    this.#blockParts.push(Buffer.from(bytes.subarray(start, end)))
    if (!isLast) return 0
    const streamId = this.#blockStreamId
    const block = Buffer.concat(this.#blockParts)
    this.#blockStreamId = 0
    this.#blockParts = []
    return this.#onBlock(streamId, this.#blockFlags, block, 0, block.length)
  }

  #onBlock(streamId: number, flags: number, block: Buffer, start: number, end: number): number {
    let verdict = this.#decoder.decode(block, start, end, LINES, this.options.maxHeaderListBytes)
    if (verdict === HPACK_ERROR.compression) return ERROR_CODE.compressionError
    if (verdict === HPACK_ERROR.tooLarge) this.stats.header_overflow.inc()
    // RFC 9113 section 5.3.1 of its predecessor: a stream cannot depend on itself.
    if (this.#selfDependent) verdict = HPACK_ERROR.malformed
    return this.onHeaders(streamId, (flags & FLAG.endStream) !== 0, verdict)
  }

  #onPriority(streamId: number, bytes: Buffer, start: number, end: number): number {
    if (streamId === 0) return ERROR_CODE.protocolError
    if (end - start !== 5) {
      this.resetStream(streamId, ERROR_CODE.frameSizeError)
      return 0
    }
    if ((bytes.readUInt32BE(start) & 0x7fffffff) === streamId) this.resetStream(streamId, ERROR_CODE.protocolError)
    return this.#allow('idle')
  }

  #onRstStream(streamId: number, bytes: Buffer, start: number, end: number): number {
    if (end - start !== 4) return ERROR_CODE.frameSizeError
    if (streamId === 0 || this.isIdle(streamId)) return ERROR_CODE.protocolError
    this.stats.rx_reset.inc()
    const stream = this.streams.get(streamId)
    if (stream !== undefined) {
      this.release(stream)
      stream.onReset(bytes.readUInt32BE(start), false)
    }
    return this.options.isServer ? this.#allow('reset') : 0
  }

  #onSettingsFrame(flags: number, streamId: number, bytes: Buffer, start: number, end: number): number {
    if (streamId !== 0) return ERROR_CODE.protocolError
    const length = end - start
    if ((flags & FLAG.ack) !== 0) {
      this.#decoder.settingsAcknowledged()
      return length === 0 ? 0 : ERROR_CODE.frameSizeError
    }
    if (length % 6 !== 0) return ERROR_CODE.frameSizeError
    const windowBefore = this.peer.initialWindowBytes
    for (let at = start; at < end; at += 6) {
      const error = this.peer.apply(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), !this.options.isServer)
      if (error > 0) return error
    }
    this.encoder.setMaxTableBytes(this.peer.headerTableBytes)
    const change = this.peer.initialWindowBytes - windowBefore
    if (change !== 0) {
      for (const stream of this.streams.values()) {
        stream.sendWindow += change
        if (stream.sendWindow > MAX_WINDOW_BYTES) return ERROR_CODE.flowControlError
      }
    }
    this.writer.frame(FRAME.settings, FLAG.ack, 0, 0)
    if (change > 0) this.#resumeBlocked()
    this.onSettings()
    return this.#allow('answered')
  }

  #onPing(flags: number, streamId: number, bytes: Buffer, start: number, end: number): number {
    if (streamId !== 0) return ERROR_CODE.protocolError
    if (end - start !== 8) return ERROR_CODE.frameSizeError
    if ((flags & FLAG.ack) !== 0) {
      this.onPingAck()
      return 0
    }
    this.writer.frame(FRAME.ping, FLAG.ack, 0, 8)
    this.writer.copy(bytes, start, end)
    return this.#allow('answered')
  }

  #onGoawayFrame(streamId: number, bytes: Buffer, start: number, end: number): number {
    if (streamId !== 0) return ERROR_CODE.protocolError
    if (end - start < 8) return ERROR_CODE.frameSizeError
    this.onGoaway(bytes.readUInt32BE(start) & 0x7fffffff, bytes.readUInt32BE(start + 4))
    return 0
  }

  #onWindowUpdate(streamId: number, bytes: Buffer, start: number, end: number): number {
    if (end - start !== 4) return ERROR_CODE.frameSizeError
    const increment = bytes.readUInt32BE(start) & 0x7fffffff
    if (!this.guard.allowsWindowUpdate()) return this.#flood()
    if (streamId === 0) {
      if (increment === 0) return ERROR_CODE.protocolError
      this.sendWindow += increment
      if (this.sendWindow > MAX_WINDOW_BYTES) return ERROR_CODE.flowControlError
      this.#resumeBlocked()
      return 0
    }
    const stream = this.streams.get(streamId)
    if (stream === undefined) return this.isIdle(streamId) ? ERROR_CODE.protocolError : 0
    if (increment === 0) this.resetStream(streamId, ERROR_CODE.protocolError)
    else if (stream.sendWindow + increment > MAX_WINDOW_BYTES) this.resetStream(streamId, ERROR_CODE.flowControlError)
    else {
      stream.sendWindow += increment
      if (this.blocked.has(stream)) stream.resumeSending()
    }
    return 0
  }

  // === DATA ===

  onDataFrame(streamId: number, length: number, flags: number): number {
    if (this.isClosed) return 0
    if (!this.#hasSettings || this.#blockStreamId !== 0) return ERROR_CODE.protocolError
    this.#receiveWindow -= length
    if (this.#receiveWindow < 0) return ERROR_CODE.flowControlError
    this.#creditConnection(length)
    this.#dataStream = undefined
    const stream = this.streams.get(streamId)
    if (stream === undefined) {
      if (this.isIdle(streamId)) return ERROR_CODE.protocolError
      return this.wasReset(streamId) ? 0 : this.resetStream(streamId, ERROR_CODE.streamClosed)
    }
    if (stream.remoteEnded) return this.resetStream(streamId, ERROR_CODE.streamClosed)
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0) return this.resetStream(streamId, ERROR_CODE.flowControlError)
    stream.unacked += length
    this.#dataStream = stream
    this.#dataStreamId = streamId
    this.#dataFlags = flags
    return length === 0 && (flags & FLAG.endStream) === 0 ? this.#allow('idle') : 0
  }

  onData(bytes: Buffer, start: number, end: number): number {
    const stream = this.#openDataStream
    if (stream === undefined) return 0
    return stream.onBody(sliceOf(bytes, start, end))
  }

  /** The stream of the DATA frame under way, unless it has ended by what its first pieces led to. */
  get #openDataStream(): Stream | undefined {
    const stream = this.#dataStream
    const isOver = stream === undefined || stream.isReleased || stream.id !== this.#dataStreamId || this.isClosed
    return isOver ? undefined : stream
  }

  onDataEnd(): number {
    const stream = this.#openDataStream
    this.#dataStream = undefined
    if (stream === undefined) return 0
    if ((this.#dataFlags & FLAG.endStream) !== 0) {
      if (!stream.hasWholeBody) return this.resetStream(stream.id, ERROR_CODE.protocolError)
      stream.endRemote()
    } else stream.giveCredit()
    return 0
  }

  // === flow control ===

  #creditConnection(length: number): void {
    this.#unacked += length
    if (this.#unacked < CONNECTION_WINDOW_BYTES / 2) return
    this.#writeWindowUpdate(0, this.#unacked)
    this.#receiveWindow += this.#unacked
    this.#unacked = 0
  }

  creditStream(stream: Http2Stream): void {
    this.#writeWindowUpdate(stream.id, stream.unacked)
    stream.receiveWindow += stream.unacked
    stream.unacked = 0
  }

  #writeWindowUpdate(streamId: number, increment: number): void {
    this.writer.frame(FRAME.windowUpdate, 0, streamId, 4)
    this.writer.uint32(increment)
  }

  #resumeBlocked(): void {
    for (const stream of [...this.blocked]) {
      if (this.sendWindow <= 0) return
      stream.resumeSending()
    }
  }

  /** The socket has taken what it was given. */
  protected onDrain(): void {
    if (this.awaitingDrain.size === 0) return
    const waiting = [...this.awaitingDrain]
    this.awaitingDrain.clear()
    for (const stream of waiting) stream.onWritable()
  }

  // === ends ===

  /** Takes a stream off the books. */
  release(stream: Http2Stream): void {
    this.streams.delete(stream.id)
    if (this.blocked.size > 0) this.blocked.delete(stream)
    if (this.awaitingDrain.size > 0) this.awaitingDrain.delete(stream)
    stream.onReleased()
  }

  /** Ends one stream by RST_STREAM; what it belongs to is told. Returns 0, or a connection error when there are too many. */
  resetStream(streamId: number, code: number): number {
    const stream = this.streams.get(streamId)
    this.writeReset(streamId, code)
    if (stream !== undefined) {
      this.release(stream)
      stream.onReset(code, true)
    }
    if (code === ERROR_CODE.protocolError) this.stats.rx_messaging_error.inc()
    return this.#allow('streamError')
  }

  writeReset(streamId: number, code: number): void {
    this.stats.tx_reset.inc()
    this.#recentResets[this.#recentResetAt++ % RECENT_RESETS] = streamId
    this.writer.frame(FRAME.rstStream, 0, streamId, 4)
    this.writer.uint32(code)
  }

  /** Whether we have reset this stream not long ago: what still comes on it is no fault of the peer. */
  wasReset(streamId: number): boolean {
    return this.#recentResets.includes(streamId)
  }

  writeGoaway(lastStreamId: number, code: number): void {
    this.stats.goaway_sent.inc()
    this.isGoingAway = true
    this.writer.frame(FRAME.goaway, 0, 0, 8)
    this.writer.uint32(lastStreamId)
    this.writer.uint32(code)
  }

  writePing(): void {
    this.writer.frame(FRAME.ping, 0, 0, 8)
    this.writer.uint32(0)
    this.writer.uint32(0)
  }

  /** A connection error (RFC 9113 section 5.4.1): says why, and closes. */
  fail(code: number): void {
    if (this.isClosed) return
    this.stats.protocol_error.inc()
    this.writeGoaway(this.lastPeerStreamId, code)
    // Whatever the peer still sends is not even read.
    this.socket.pause()
    this.end(`http2 error ${code}`)
  }

  /**
   * Lets what was written leave, and closes our half; the subclass sees to it that the rest follows. A socket that is
   * destroyed with bytes unread is reset, and the peer would lose what we said last.
   */
  end(detail: string): void {
    if (this.isClosed) return
    this.writer.flush()
    this.isClosed = true
    this.onSessionClosed(detail)
    this.socket.end()
  }

  /** The socket is gone. */
  protected onSocketClosed(detail: string): void {
    if (this.isClosed) return
    this.isClosed = true
    this.onSessionClosed(detail)
    this.socket.destroy()
  }

  #allow(kind: FloodKind): number {
    if (!this.guard.allows(kind, this.wheel.coarseNowMs)) return this.#flood()
    if (this.writer.waitingBytes > MAX_WAITING_CONTROL_BYTES && kind === 'answered') return this.#flood()
    return 0
  }

  #flood(): number {
    this.stats.flood.inc()
    return ERROR_CODE.enhanceYourCalm
  }

  get maxFrameBytes(): number {
    return Math.min(this.peer.maxFrameBytes, MIN_MAX_FRAME_BYTES)
  }
}
