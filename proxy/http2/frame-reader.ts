import { ERROR_CODE, FLAG, FRAME, FRAME_HEADER_BYTES, MIN_MAX_FRAME_BYTES } from './frame.ts'

/** What frames are read into. A number over 0 that is returned is a connection error's code, and ends the reading. */
export interface FrameHandler {
  /** A whole frame that is not DATA: its payload is `bytes[start..end)`, only lent. */
  onFrame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): number
  /** A DATA frame begins; `length` is what flow control counts, padding included. */
  onDataFrame(streamId: number, length: number, flags: number): number
  /** A piece of the DATA frame under way, only lent. */
  onData(bytes: Buffer, start: number, end: number): number
  /** The DATA frame under way is over. */
  onDataEnd(): number
}

/**
 * Cuts the bytes of a connection into frames. Content of DATA is handed on as it comes; other frames are small, and those
 * that came in parts are put together first. Holds at most one frame of 16 KiB.
 */
export class FrameReader {
  readonly #header = Buffer.alloc(FRAME_HEADER_BYTES)
  #headerFill = 0
  /** A frame that came in parts, and how much of it is there. */
  #frame: Buffer | undefined
  #frameFill = 0
  #type = 0
  #flags = 0
  #streamId = 0
  #length = 0
  /** Where in a DATA frame we are. */
  #dataLeft = -1
  #padLeft = 0
  #needsPadLength = false

  /** Whether a frame other than DATA has begun and is not complete. */
  get isInFrame(): boolean {
    return this.#headerFill > 0 || this.#frame !== undefined
  }

  /** Whether these bytes, read next, have content of DATA in them; true too when a frame has begun and that is not easily told. */
  mayHoldData(bytes: Buffer): boolean {
    if (this.#dataLeft >= 0 || this.isInFrame) return true
    let at = 0
    while (at + FRAME_HEADER_BYTES <= bytes.length) {
      if (bytes[at + 3] === FRAME.data) return true
      at +=
        FRAME_HEADER_BYTES +
        (((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number))
    }
    return false
  }

  /** Returns 0, or the code of a connection error. */
  read(chunk: Buffer, from: number, handler: FrameHandler): number {
    let pos = from
    const end = chunk.length
    while (pos < end) {
      if (this.#dataLeft >= 0) {
        pos = this.#readData(chunk, pos, handler)
        if (pos < 0) return -pos
        continue
      }
      if (this.#frame !== undefined) {
        pos = this.#fillFrame(chunk, pos)
        if (this.#frameFill < this.#length) return 0
        const frame = this.#frame
        this.#frame = undefined
        const error = handler.onFrame(this.#type, this.#flags, this.#streamId, frame, 0, this.#length)
        if (error > 0) return error
        continue
      }
      if (this.#headerFill === 0 && end - pos >= FRAME_HEADER_BYTES) {
        this.#parseHeader(chunk, pos)
        pos += FRAME_HEADER_BYTES
      } else {
        const take = Math.min(FRAME_HEADER_BYTES - this.#headerFill, end - pos)
        chunk.copy(this.#header, this.#headerFill, pos, pos + take)
        this.#headerFill += take
        pos += take
        if (this.#headerFill < FRAME_HEADER_BYTES) return 0
        this.#headerFill = 0
        this.#parseHeader(this.#header, 0)
      }
      if (this.#length > MIN_MAX_FRAME_BYTES) return ERROR_CODE.frameSizeError
      if (this.#type === FRAME.data) {
        const error = this.#beginData(handler)
        if (error > 0) return error
      } else if (end - pos >= this.#length) {
        const frameEnd = pos + this.#length
        const error = handler.onFrame(this.#type, this.#flags, this.#streamId, chunk, pos, frameEnd)
        if (error > 0) return error
        pos = frameEnd
      } else {
        this.#frame = Buffer.allocUnsafe(this.#length)
        this.#frameFill = 0
      }
    }
    return 0
  }

  #parseHeader(bytes: Buffer, at: number): void {
    this.#length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    this.#type = bytes[at + 3] as number
    this.#flags = bytes[at + 4] as number
    this.#streamId =
      (((bytes[at + 5] as number) & 0x7f) << 24) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 8) |
      (bytes[at + 8] as number)
  }

  #fillFrame(chunk: Buffer, pos: number): number {
    const take = Math.min(this.#length - this.#frameFill, chunk.length - pos)
    chunk.copy(this.#frame as Buffer, this.#frameFill, pos, pos + take)
    this.#frameFill += take
    return pos + take
  }

  #beginData(handler: FrameHandler): number {
    if (this.#streamId === 0) return ERROR_CODE.protocolError
    this.#needsPadLength = (this.#flags & FLAG.padded) !== 0
    if (this.#needsPadLength && this.#length === 0) return ERROR_CODE.frameSizeError
    this.#padLeft = 0
    this.#dataLeft = this.#length
    const error = handler.onDataFrame(this.#streamId, this.#length, this.#flags)
    if (error > 0) return error
    return this.#dataLeft === 0 ? this.#endData(handler) : 0
  }

  /** Returns the position after what was used, or minus an error code. */
  #readData(chunk: Buffer, from: number, handler: FrameHandler): number {
    let pos = from
    if (this.#needsPadLength) {
      this.#needsPadLength = false
      this.#padLeft = chunk[pos++] as number
      this.#dataLeft -= 1 + this.#padLeft
      if (this.#dataLeft < 0) return -ERROR_CODE.protocolError
    }
    if (this.#dataLeft > 0 && pos < chunk.length) {
      const take = Math.min(this.#dataLeft, chunk.length - pos)
      this.#dataLeft -= take
      const error = handler.onData(chunk, pos, pos + take)
      if (error > 0) return -error
      pos += take
    }
    if (this.#dataLeft > 0) return pos
    const skip = Math.min(this.#padLeft, chunk.length - pos)
    this.#padLeft -= skip
    pos += skip
    if (this.#padLeft > 0) return pos
    const error = this.#endData(handler)
    return error > 0 ? -error : pos
  }

  #endData(handler: FrameHandler): number {
    this.#dataLeft = -1
    return handler.onDataEnd()
  }
}
