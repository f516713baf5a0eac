import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { HpackDecoder } from '../../proxy/http2/hpack/decoder.ts'
import type { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts'
import { FieldLines } from '../../proxy/http2/hpack/field-lines.ts'
import { type Decoded, encodeBlock, type Field, LIST_BYTES, readFields } from './hpack.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const HEAD_BYTES = 9
const TYPE = { headers: 1, settings: 4, windowUpdate: 8, continuation: 9 } as const
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const SETTING = { headerTableSize: 1, maxHeaderListSize: 6 } as const

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

function settings(...pairs: [id: number, value: number][]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length)
  pairs.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, 6 * i)
    payload.writeUInt32BE(value, 6 * i + 2)
  })
  return frame(TYPE.settings, 0, 0, payload)
}

/**
 * A client of HTTP/2 made by hand, of which only the header blocks are to be taken seriously: ours in both directions,
 * against whatever serves at the port. Requests have no bodies, and what comes beside header blocks and settings is
 * passed over.
 */
export class HpackPeer {
  readonly #encoder: HpackEncoder
  readonly #decoder: HpackDecoder
  readonly #into = new FieldLines()
  readonly #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #block: Buffer[] = []
  #nextStream = 1
  readonly #answers = new Map<number, (decoded: Decoded) => void>()
  /** Header-table sizes that the server has set, in order. */
  readonly tableSizes: number[] = []
  /** Frames of other kinds that came, by type: RST_STREAM and GOAWAY say that the server was not content. */
  readonly others: number[] = []

  constructor(port: number, encoder: HpackEncoder, tableBytes: number) {
    this.#encoder = encoder
    this.#decoder = new HpackDecoder(tableBytes)
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.on('data', (data) => this.#take(data))
    this.#socket.write(PREFACE)
    this.#socket.write(settings([SETTING.headerTableSize, tableBytes], [SETTING.maxHeaderListSize, LIST_BYTES]))
  }

  /** The answer's fields. The request's block is sent in pieces of `mostBytes`. */
  request(fields: readonly Field[], mostBytes = 16384): Promise<Decoded> {
    const stream = this.#nextStream
    this.#nextStream += 2
    const block = encodeBlock(this.#encoder, fields)
    let from = 0
    do {
      const piece = block.subarray(from, from + mostBytes)
      const isFirst = from === 0
      from += piece.length
      const flags = (from >= block.length ? END_HEADERS : 0) | (isFirst ? END_STREAM : 0)
      this.#socket.write(frame(isFirst ? TYPE.headers : TYPE.continuation, flags, stream, piece))
    } while (from < block.length)
    return new Promise((resolve, reject) => {
      this.#answers.set(stream, resolve)
      this.#socket.once('close', () => reject(new Error(`closed; other frames: ${this.others.join()}`)))
    })
  }

  async close(): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.destroy()
    await closed
  }

  #take(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data])
    for (;;) {
      if (this.#received.length < HEAD_BYTES) return
      const end = HEAD_BYTES + this.#received.readUIntBE(0, 3)
      if (this.#received.length < end) return
      const [type, flags] = [this.#received[3] as number, this.#received[4] as number]
      this.#frame(type, flags, this.#received.readUInt32BE(5), this.#received.subarray(HEAD_BYTES, end))
      this.#received = this.#received.subarray(end)
    }
  }

  #frame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (type === TYPE.settings) this.#settings(flags, payload)
    else if (type === TYPE.headers || type === TYPE.continuation) {
      this.#block.push(payload)
      if ((flags & END_HEADERS) === 0) return
      const block = Buffer.concat(this.#block)
      this.#block = []
      const error = this.#decoder.decode(block, 0, block.length, this.#into, LIST_BYTES)
      this.#answers.get(stream)?.({ error, ...readFields(this.#into) })
      this.#answers.delete(stream)
    } else if (type !== TYPE.windowUpdate) this.others.push(type)
  }

  #settings(flags: number, payload: Buffer): void {
    if ((flags & ACK) !== 0) {
      this.#decoder.settingsAcknowledged()
      return
    }
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) !== SETTING.headerTableSize) continue
      this.tableSizes.push(payload.readUInt32BE(at + 2))
      this.#encoder.setMaxTableBytes(payload.readUInt32BE(at + 2))
    }
    this.#socket.write(frame(TYPE.settings, ACK, 0, Buffer.alloc(0)))
  }
}
