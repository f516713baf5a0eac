import { connect, type Socket } from 'node:net'
import { ERROR_CODE, FLAG, FRAME, PREFACE } from '../../proxy/http2/frame.ts'
import { HpackDecoder } from '../../proxy/http2/hpack/decoder.ts'
import { FieldLines } from '../../proxy/http2/hpack/field-lines.ts'

/** HTTP/2 as bytes: frames that no client would send, and a reader of what comes back. */

export interface RawFrame {
  type: number
  flags: number
  streamId: number
  payload: Buffer
  /** Of HEADERS: its fields as lines. */
  lines: string
}

export function frame(type: number, flags: number, streamId: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.alloc(9 + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(streamId, 5)
  payload.copy(bytes, 9)
  return bytes
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

export function settings(entries: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(entries.length * 6)
  entries.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6)
    payload.writeUInt32BE(value, i * 6 + 2)
  })
  return frame(FRAME.settings, 0, 0, payload)
}

/** Literals that are not indexed, without Huffman (RFC 7541 section 6.2.2). */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const text = (value: string) => Buffer.concat([integer(value.length, 127), Buffer.from(value, 'latin1')])
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]))
}

/** RFC 7541 section 5.1, with the bits before the prefix 0. */
function integer(value: number, max: number): Buffer {
  if (value < max) return Buffer.from([value])
  const bytes = [max]
  let rest = value - max
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

export const request = (method = 'GET', path = '/'): [string, string][] => [
  [':method', method],
  [':scheme', 'http'],
  [':path', path],
  [':authority', 'x'],
]

export function headers(streamId: number, flags: number, fields: readonly (readonly [string, string])[]): Buffer {
  return frame(FRAME.headers, flags | FLAG.endHeaders, streamId, block(fields))
}

export const get = (streamId: number, path = '/') => headers(streamId, FLAG.endStream, request('GET', path))
export const reset = (streamId: number, code: number = ERROR_CODE.cancel) =>
  frame(FRAME.rstStream, 0, streamId, uint32(code))
export const data = (streamId: number, bytes: Buffer, flags = 0) => frame(FRAME.data, flags, streamId, bytes)
export const windowUpdate = (streamId: number, bytes: number) => frame(FRAME.windowUpdate, 0, streamId, uint32(bytes))

/** A client that has said the preface and these settings. It answers nothing by itself. */
export class RawHttp2 {
  readonly socket: Socket
  readonly frames: RawFrame[] = []
  isClosed = false
  #rest: Buffer = Buffer.alloc(0)
  readonly #decoder = new HpackDecoder(4096)
  readonly #fields = new FieldLines()

  constructor(port: number, own: Buffer = settings([])) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.on('data', (chunk: Buffer) => this.#read(chunk))
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
    this.socket.write(Buffer.concat([PREFACE, own]))
  }

  send(...parts: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(parts))
  }

  /** Writes with the socket's back-pressure. False when the other side has closed. */
  async flood(piece: Buffer, times: number): Promise<boolean> {
    for (let i = 0; i < times && !this.socket.destroyed && this.goaway === undefined; i++) {
      if (this.socket.write(piece)) continue
      await new Promise<void>((resolve) => {
        const go = () => {
          this.socket.off('drain', go)
          this.socket.off('close', go)
          resolve()
        }
        this.socket.once('drain', go)
        this.socket.once('close', go)
      })
    }
    return !this.socket.destroyed
  }

  of(type: number, streamId?: number): RawFrame[] {
    return this.frames.filter((one) => one.type === type && (streamId === undefined || one.streamId === streamId))
  }

  /** The error code of the last GOAWAY; undefined when there was none. */
  get goaway(): number | undefined {
    return this.of(FRAME.goaway).at(-1)?.payload.readUInt32BE(4)
  }

  /** The error code of the RST_STREAM of a stream. */
  resetOf(streamId: number): number | undefined {
    return this.of(FRAME.rstStream, streamId)[0]?.payload.readUInt32BE(0)
  }

  /** Whether a stream was ended by END_STREAM. */
  isEnded(streamId: number): boolean {
    return this.frames.some(
      ({ type, flags, streamId: id }) =>
        id === streamId && (type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0,
    )
  }

  /** `:status` of the answer on a stream, with whatever interim ones came before it. */
  statusOf(streamId: number): string {
    const found = this.of(FRAME.headers, streamId).flatMap(({ lines }) => /^:status: (\d+)/.exec(lines)?.[1] ?? [])
    return found.join(' ')
  }

  close(): void {
    this.socket.destroy()
  }

  #decode(payload: Buffer): string {
    const verdict = this.#decoder.decode(payload, 0, payload.length, this.#fields, 1_000_000)
    if (verdict !== 0) throw new Error(`a header block that cannot be decoded: ${payload.toString('hex')}`)
    const { bytes, base, end } = this.#fields
    return bytes.toString('latin1', base, end)
  }

  #read(chunk: Buffer): void {
    let bytes = Buffer.concat([this.#rest, chunk])
    while (bytes.length >= 9) {
      const length = bytes.readUIntBE(0, 3)
      if (bytes.length < 9 + length) break
      const payload = Buffer.from(bytes.subarray(9, 9 + length))
      const [type, flags] = [bytes[3] as number, bytes[4] as number]
      const lines = type === FRAME.headers ? this.#decode(payload) : ''
      this.frames.push({ type, flags, streamId: bytes.readUInt32BE(5) & 0x7fffffff, payload, lines })
      bytes = bytes.subarray(9 + length)
    }
    this.#rest = Buffer.from(bytes)
  }
}
