import { isUtf8 } from 'node:buffer'

/** Texts up to this length are copied by a loop, which beats a call into the runtime. */
const LOOP_CHARS = 48
/** Lengths of messages are written when these are over, into places of so many bytes (varints may be longer than they need be). */
const LENGTH_BYTES = 4
const MAX_VARINT_BYTES = 10
/** A text takes this beside its characters. */
const TEXT_OVERHEAD = 2 * MAX_VARINT_BYTES
const NO_ASCII = /[^\x00-\x7f]/g

export const WIRE = { varint: 0, fixed64: 1, bytes: 2 } as const

/** Writes messages in protobuf's wire format (protobuf.dev, "Encoding") into memory that is used again, without making any. */
export class WireWriter {
  #bytes: Buffer
  #end = 0

  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafeSlow(size)
  }

  get length(): number {
    return this.#end
  }

  /** What was written from `from` on, as a copy of its own. */
  copy(from = 0): Buffer {
    return Buffer.from(this.#bytes.subarray(from, this.#end))
  }

  /** Forgets what was written after the first `length` bytes. */
  cut(length: number): void {
    this.#end = length
  }

  raw(bytes: Uint8Array): void {
    const { length } = bytes
    this.#reserve(length)
    if (length > LOOP_CHARS) this.#bytes.set(bytes, this.#end)
    else {
      const target = this.#bytes
      const start = this.#end
      for (let i = 0; i < length; i++) target[start + i] = bytes[i] as number
    }
    this.#end += length
  }

  /** A number that is no negative one; 0 is left out, as its default. */
  number(field: number, value: number): void {
    if (value <= 0) return
    this.#reserve(2 * MAX_VARINT_BYTES)
    this.#varint(field * 8)
    this.#varint(value)
  }

  flag(field: number, value: boolean): void {
    if (value) this.number(field, 1)
  }

  double(field: number, value: number): void {
    this.#reserve(MAX_VARINT_BYTES + 8)
    this.#varint(field * 8 + WIRE.fixed64)
    this.#end = this.#bytes.writeDoubleLE(value, this.#end)
  }

  bytes(field: number, value: Uint8Array): void {
    this.#reserve(TEXT_OVERHEAD)
    this.#varint(field * 8 + WIRE.bytes)
    this.#varint(value.length)
    this.raw(value)
  }

  /** Milliseconds as a fixed64 of nanoseconds. */
  nanoseconds(field: number, ms: number): void {
    this.#reserve(MAX_VARINT_BYTES + 8)
    this.#varint(field * 8 + WIRE.fixed64)
    this.#end = this.#bytes.writeBigUInt64LE(BigInt(Math.floor(ms)) * 1_000_000n, this.#end)
  }

  /** A text of bytes, one character each; '' is left out. What is no UTF-8 has `!` for each byte beyond ASCII, as in Envoy. */
  text(field: number, value: string | undefined): void {
    if (value === undefined || value === '') return
    this.#text(field, value)
  }

  #text(field: number, value: string): void {
    const { length } = value
    this.#reserve(length + TEXT_OVERHEAD)
    this.#varint(field * 8 + WIRE.bytes)
    this.#varint(length)
    const bytes = this.#bytes
    const start = this.#end
    this.#end += length
    if (length > LOOP_CHARS) {
      bytes.write(value, start, length, 'latin1')
      if (!isUtf8(bytes.subarray(start, start + length))) this.#sanitize(value, start)
      return
    }
    let all = 0
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      all |= code
      bytes[start + i] = code
    }
    if (all > 0x7f && !isUtf8(bytes.subarray(start, start + length))) this.#sanitize(value, start)
  }

  #sanitize(value: string, start: number): void {
    this.#bytes.write(value.replace(NO_ASCII, '!'), start, 'latin1')
  }

  /** A Timestamp or Duration (google.protobuf) of milliseconds, none of them negative. */
  time(field: number, ms: number): void {
    this.#reserve(3 * MAX_VARINT_BYTES)
    this.#varint(field * 8 + WIRE.bytes)
    // It has less than 128 bytes.
    const lengthAt = this.#end++
    const seconds = Math.floor(ms / 1000)
    if (seconds > 0) {
      this.#bytes[this.#end++] = 8
      this.#varint(seconds)
    }
    const nanos = Math.floor((ms - seconds * 1000) * 1e6)
    if (nanos > 0) {
      this.#bytes[this.#end++] = 16
      this.#varint(nanos)
    }
    this.#bytes[lengthAt] = this.#end - lengthAt - 1
  }

  /** Begins a message within; end() takes what this returns. */
  begin(field: number): number {
    this.#reserve(MAX_VARINT_BYTES + LENGTH_BYTES)
    this.#varint(field * 8 + WIRE.bytes)
    this.#end += LENGTH_BYTES
    return this.#end
  }

  /** Ends a message that has less than 256 MiB. */
  end(start: number): void {
    let length = this.#end - start
    const bytes = this.#bytes
    for (let i = LENGTH_BYTES; i > 1; i--) {
      bytes[start - i] = (length & 0x7f) | 0x80
      length >>>= 7
    }
    bytes[start - 1] = length
  }

  /** An entry of a map from text to text. */
  entry(field: number, key: string, value: string): void {
    const start = this.begin(field)
    this.#text(1, key)
    this.#text(2, value)
    this.end(start)
  }

  #varint(value: number): void {
    const bytes = this.#bytes
    let rest = value
    let end = this.#end
    while (rest > 0x7fff_ffff) {
      bytes[end++] = (rest % 128) | 0x80
      rest = Math.floor(rest / 128)
    }
    while (rest > 0x7f) {
      bytes[end++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[end++] = rest
    this.#end = end
  }

  #reserve(size: number): void {
    if (this.#end + size <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#end + size))
    this.#bytes.copy(larger, 0, 0, this.#end)
    this.#bytes = larger
  }
}
