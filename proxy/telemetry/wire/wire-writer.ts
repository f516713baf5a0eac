import * as put from './put.ts'

/** More than anything but texts takes. */
const PART_BYTES = 32

/** Writes messages in protobuf's wire format into memory that is used again, without making any. Fields up to 2047. */
export class WireWriter {
  #memory: put.Memory
  #end = 0

  constructor(size: number) {
    this.#memory = put.Memory.of(size)
  }

  get length(): number {
    return this.#end
  }

  /** What was written from `from` on, as a copy of its own. */
  copy(from = 0): Buffer {
    return Buffer.from(this.#memory.bytes.subarray(from, this.#end))
  }

  /** Goes on in other memory, which begins with the first `length` bytes of what was written. Returns the memory so far. */
  moveTo(memory: put.Memory, length: number): put.Memory {
    const before = this.#memory
    memory.bytes.set(before.bytes.subarray(0, length))
    this.#memory = memory
    this.#end = length
    return before
  }

  /** Forgets what was written after the first `length` bytes, or takes for written what was put there. */
  cut(length: number): void {
    this.#end = length
  }

  /** The memory, with room for so many bytes from `length` on, for who puts many parts there one after the other. */
  room(size: number): put.Memory {
    if (this.#end + size > this.#memory.bytes.length) this.#grow(size)
    return this.#memory
  }

  #grow(size: number): void {
    const { bytes } = this.#memory
    this.#memory = put.Memory.of(Math.max(2 * bytes.length, this.#end + size))
    bytes.copy(this.#memory.bytes, 0, 0, this.#end)
  }

  raw(parts: Uint8Array): void {
    this.#end = put.putRaw(this.room(parts.length), this.#end, parts)
  }

  /** A number that is no negative one; 0 is left out, as its default. */
  number(field: number, value: number): void {
    this.#end = put.putNumber(this.room(PART_BYTES), this.#end, put.numberKey(field), value)
  }

  flag(field: number, value: boolean): void {
    if (value) this.number(field, 1)
  }

  double(field: number, value: number): void {
    this.#end = put.putDouble(this.room(PART_BYTES), this.#end, put.fixed64Key(field), value)
  }

  bytes(field: number, value: Uint8Array): void {
    this.#end = put.putBytes(this.room(PART_BYTES + value.length), this.#end, put.bytesKey(field), value)
  }

  /** Milliseconds as a fixed64 of nanoseconds, to the microsecond. */
  nanoseconds(field: number, ms: number): void {
    this.#end = put.putNanoseconds(this.room(PART_BYTES), this.#end, put.fixed64Key(field), ms)
  }

  /** A text of bytes, one character each; '' is left out. What is no UTF-8 has `!` for each byte beyond ASCII, as in Envoy. */
  text(field: number, value: string | undefined): void {
    if (value !== undefined && value !== '') this.#text(field, value)
  }

  #text(field: number, value: string): void {
    this.#end = put.putText(this.room(PART_BYTES + value.length), this.#end, put.bytesKey(field), value)
  }

  /** A Timestamp or Duration (google.protobuf) of milliseconds, none of them negative. */
  time(field: number, ms: number): void {
    this.#end = put.putTime(this.room(PART_BYTES), this.#end, put.bytesKey(field), ms)
  }

  /** Begins a message within; end() takes what this returns. */
  begin(field: number): number {
    this.#end = put.open(this.room(PART_BYTES), this.#end, put.bytesKey(field))
    return this.#end
  }

  /** Ends a message that has less than 256 MiB. */
  end(start: number): void {
    put.close(this.#memory, start, this.#end)
  }

  /** An entry of a map from text to text. */
  entry(field: number, key: string, value: string): void {
    const start = this.begin(field)
    this.#text(1, key)
    this.#text(2, value)
    this.end(start)
  }
}
