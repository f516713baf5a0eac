import { latin1 } from '../../lib/latin1.ts'
import { lowerCase } from '../../lib/lower-case.ts'
import type { FieldBatch } from './field-batch.ts'
import type { OutBuffer } from './out-buffer.ts'

const NO_BYTES = Buffer.alloc(0)

/** Most header fields a message may have (Envoy's max_headers_count). */
export const MAX_HEADERS = 100

/** Integers per field in `HeaderBlock.at`: start and end of the name, start and end of the value. */
const STRIDE = 4
const AT_LENGTH = STRIDE * (MAX_HEADERS + 1)
const AT_BYTES = AT_LENGTH * Int32Array.BYTES_PER_ELEMENT

/**
 * The header fields of one message: the bytes as they came with the place of each field in them, and the edits made
 * since. No object or text is made for a field until someone asks for it, and fields that nobody touched are written out again as
 * the runs of bytes they came in, in their order and case.
 *
 * One block lives as long as its connection and is filled anew for every message.
 */
export class HeaderBlock {
  /** The bytes that the head came in; it begins at `base`. What is passed on unchanged is copied from here. */
  bytes: Buffer = NO_BYTES
  /** Of the same bytes, where whoever keeps them has one; what sets `bytes` sets both. */
  view: DataView | undefined = undefined
  base = 0
  count = 0
  /**
   * Bit n % 32 is set if a received field may have a name of n characters, so that most that are looked for are known not to be
   * there. All are where nobody has looked.
   */
  nameLengths = -1
  /** Characters of the names and values of all received fields; -1 where nobody has counted. */
  receivedLength = -1
  /** One for all three arrays: most of what a small one costs is the memory behind it, and every connection has a block. */
  readonly #memory = new ArrayBuffer(AT_BYTES + 2 * MAX_HEADERS)
  /** Offsets from `base` of field i at 4i..4i+3; `at[4 * count]` is where the next field would begin. */
  readonly at = new Int32Array(this.#memory, 0, AT_LENGTH)
  /**
   * 1 for a field that came by HTTP/2 as one never to be indexed: who passes it on must not index it either (RFC 7541
   * section 6.2.3).
   */
  readonly neverIndexed = new Uint8Array(this.#memory, AT_BYTES, MAX_HEADERS)
  hasNeverIndexed = false
  readonly #removed = new Uint8Array(this.#memory, AT_BYTES + MAX_HEADERS, MAX_HEADERS)
  #removedCount = 0
  /** Of the removed ones, as receivedLength. */
  #removedLength = 0
  readonly #addedNames: string[] = []
  readonly #addedValues: (string | FieldBatch)[] = []
  /** Where the line begins of one that is of a batch. */
  readonly #addedLines: number[] = []
  #addedCount = 0
  /** Characters of their names and values. */
  #addedLength = 0

  clear(): void {
    // A few fields are cleared faster by a loop than by a call into the runtime.
    if (this.#removedCount > 0) {
      this.#removedCount = 0
      this.#removedLength = 0
      for (let i = 0; i < this.count; i++) this.#removed[i] = 0
    }
    if (this.hasNeverIndexed) {
      this.hasNeverIndexed = false
      this.neverIndexed.fill(0)
    }
    this.#addedCount = 0
    this.#addedLength = 0
    this.count = 0
    this.nameLengths = -1
    this.receivedLength = -1
  }

  /** Takes over another block's fields and edits, in bytes of its own. */
  copyFields(other: HeaderBlock): void {
    this.clear()
    const end = other.count === 0 ? 0 : (other.at[other.count * STRIDE] as number)
    this.bytes = Buffer.from(other.bytes.subarray(other.base, other.base + end))
    this.view = undefined
    this.base = 0
    this.count = other.count
    this.nameLengths = other.nameLengths
    this.receivedLength = other.receivedLength
    this.at.set(other.at)
    this.#removed.set(other.#removed)
    this.#removedCount = other.#removedCount
    this.#removedLength = other.#removedLength
    this.neverIndexed.set(other.neverIndexed)
    this.hasNeverIndexed = other.hasNeverIndexed
    for (let i = 0; i < other.#addedCount; i++) {
      this.append(other.#addedNames[i] as string, other.addedValue(i))
    }
  }

  /** Says of bytes of its own what another says of the same ones, as if it had been parsed; nothing that was added to it. */
  takeParsed(other: HeaderBlock): void {
    this.clear()
    const { at, count } = other
    for (let i = 0; i <= count * STRIDE; i++) this.at[i] = at[i] as number
    this.count = count
    this.nameLengths = other.nameLengths
    this.receivedLength = other.receivedLength
    if (other.#removedCount === 0) return
    for (let i = 0; i < count; i++) this.#removed[i] = other.#removed[i] as number
    this.#removedCount = other.#removedCount
    this.#removedLength = other.#removedLength
  }

  /** Index of the first field of this lower-case name that is still there, or -1. Looks at received fields only. */
  find(lowerName: string, from = 0): number {
    const { at, count } = this
    const length = lowerName.length
    if (((this.nameLengths >>> length) & 1) === 0) return -1
    for (let i = from; i < count; i++) {
      const start = at[i * STRIDE] as number
      if ((at[i * STRIDE + 1] as number) - start !== length || this.#removed[i] === 1) continue
      if (spells(this.bytes, this.base + start, lowerName)) return i
    }
    return -1
  }

  name(index: number): string {
    return this.#slice(this.at[index * STRIDE] as number, this.at[index * STRIDE + 1] as number)
  }

  value(index: number): string {
    return this.#slice(this.at[index * STRIDE + 2] as number, this.at[index * STRIDE + 3] as number)
  }

  valueLength(index: number): number {
    return (this.at[index * STRIDE + 3] as number) - (this.at[index * STRIDE + 2] as number)
  }

  #slice(from: number, to: number): string {
    return latin1(this.bytes, this.base + from, this.base + to)
  }

  has(lowerName: string): boolean {
    return this.find(lowerName) >= 0 || this.#findAdded(lowerName, 0) >= 0
  }

  /** The field's value; several of one name are joined with `,` in order. */
  get(lowerName: string): string | undefined {
    let value: string | undefined
    for (let i = this.find(lowerName); i >= 0; i = this.find(lowerName, i + 1)) {
      value = value === undefined ? this.value(i) : `${value},${this.value(i)}`
    }
    for (let i = this.#findAdded(lowerName, 0); i >= 0; i = this.#findAdded(lowerName, i + 1)) {
      const added = this.addedValue(i)
      value = value === undefined ? added : `${value},${added}`
    }
    return value
  }

  /** Whether any value of the field passes; several of one name are tried one by one. */
  anyValue(lowerName: string, matcher: { test(value: string): boolean }): boolean {
    for (let i = this.find(lowerName); i >= 0; i = this.find(lowerName, i + 1)) {
      if (matcher.test(this.value(i))) return true
    }
    for (let i = this.#findAdded(lowerName, 0); i >= 0; i = this.#findAdded(lowerName, i + 1)) {
      if (matcher.test(this.addedValue(i))) return true
    }
    return false
  }

  isRemoved(index: number): boolean {
    return this.#removedCount > 0 && this.#removed[index] === 1
  }

  /** Whether no received field was removed and none added. */
  get isAsItCame(): boolean {
    return this.#removedCount === 0 && this.#addedCount === 0
  }

  /** Fields that were added, apart from those received. */
  get addedCount(): number {
    return this.#addedCount
  }

  addedName(index: number): string {
    return this.#addedNames[index] as string
  }

  addedValue(index: number): string {
    const value = this.#addedValues[index] as string | FieldBatch
    return typeof value === 'string' ? value : value.value(this.#addedLines[index] as number)
  }

  addedLength(index: number): number {
    const value = this.#addedValues[index] as string | FieldBatch
    return typeof value === 'string' ? value.length : value.valueLength
  }

  /** That which an added field is of; undefined for others. */
  addedBatch(index: number): FieldBatch | undefined {
    const value = this.#addedValues[index] as string | FieldBatch
    return typeof value === 'string' ? undefined : value
  }

  /** Where the line of an added field begins in its batch. */
  addedLine(index: number): number {
    return this.#addedLines[index] as number
  }

  append(name: string, value: string): void {
    this.#addedNames[this.#addedCount] = name
    this.#addedValues[this.#addedCount++] = value
    this.#addedLength += name.length + value.length
  }

  /** Adds the field whose line begins at `line` of a batch. */
  appendOf(batch: FieldBatch, line = 0): void {
    // A connection's requests are mostly given the same, and to store a reference costs more than to see that it is there.
    const i = this.#addedCount
    if (this.#addedNames[i] !== batch.name) this.#addedNames[i] = batch.name
    if (this.#addedValues[i] !== batch) this.#addedValues[i] = batch
    this.#addedLines[this.#addedCount++] = line
    this.#addedLength += batch.fieldLength
  }

  set(name: string, value: string): void {
    this.remove(lowerCase(name))
    this.append(name, value)
  }

  remove(lowerName: string): void {
    for (let i = this.find(lowerName); i >= 0; i = this.find(lowerName, i + 1)) this.removeAt(i)
    for (let i = this.#findAdded(lowerName, 0); i >= 0; i = this.#findAdded(lowerName, i)) {
      this.#addedLength -= lowerName.length + this.addedLength(i)
      this.#addedNames.splice(i, 1)
      this.#addedValues.splice(i, 1)
      for (let k = i + 1; k < this.#addedCount; k++) this.#addedLines[k - 1] = this.#addedLines[k] as number
      this.#addedCount--
    }
  }

  removeAt(index: number): void {
    if (this.#removed[index] === 1) return
    this.#removed[index] = 1
    this.#removedCount++
    this.#removedLength += this.#fieldLength(index)
  }

  /** Characters of the name and the value. */
  #fieldLength(index: number): number {
    const { at } = this
    const from = index * STRIDE
    return (at[from + 1] as number) - (at[from] as number) + (at[from + 3] as number) - (at[from + 2] as number)
  }

  /** Characters of the names and values of all fields that would be written out. */
  get textLength(): number {
    if (this.receivedLength < 0) {
      this.receivedLength = 0
      for (let i = 0; i < this.count; i++) this.receivedLength += this.#fieldLength(i)
    }
    return this.receivedLength - this.#removedLength + this.#addedLength
  }

  /** Every field that would be written out, in order. For explanation and copies, not for the hot path. */
  *fields(): Generator<[name: string, value: string]> {
    for (let i = 0; i < this.count; i++) if (this.#removed[i] === 0) yield [this.name(i), this.value(i)]
    for (let i = 0; i < this.#addedCount; i++) {
      yield [this.#addedNames[i] as string, this.addedValue(i)]
    }
  }

  /**
   * Writes the fields as HTTP/1.1 lines. `startLine` true begins with the start line as it was received. Runs of
   * fields that nobody touched are copied as they came.
   */
  writeLines(out: OutBuffer, startLine: boolean): void {
    const { at, count, bytes, view, base } = this
    let runStart = startLine ? 0 : (at[0] as number)
    if (count > 0 || startLine) {
      if (this.#removedCount > 0) {
        for (let i = 0; i < count; i++) {
          if (this.#removed[i] === 0) continue
          const fieldStart = at[i * STRIDE] as number
          if (fieldStart > runStart) out.copy(bytes, base + runStart, base + fieldStart, view)
          runStart = at[(i + 1) * STRIDE] as number
        }
      }
      const end = at[count * STRIDE] as number
      if (end > runStart) out.copy(bytes, base + runStart, base + end, view)
    }
    for (let i = 0; i < this.#addedCount; i++) {
      const value = this.#addedValues[i] as string | FieldBatch
      if (typeof value === 'string') {
        out.text(this.#addedNames[i] as string)
        out.text(': ')
        out.text(value)
        out.text('\r\n')
      } else {
        const line = this.#addedLines[i] as number
        out.copy(value.lines, line, line + value.lineLength, value.view)
      }
    }
  }

  /** The fields as HTTP/1.1 lines, each ended by CRLF. */
  toLines(): string {
    let out = ''
    const { at, count } = this
    if (count > 0) {
      if (this.#removedCount === 0) out = this.#slice(at[0] as number, at[count * STRIDE] as number)
      else {
        let runStart = -1
        for (let i = 0; i < count; i++) {
          if (this.#removed[i] === 0) {
            if (runStart < 0) runStart = at[i * STRIDE] as number
          } else if (runStart >= 0) {
            out += this.#slice(runStart, at[i * STRIDE] as number)
            runStart = -1
          }
        }
        if (runStart >= 0) out += this.#slice(runStart, at[count * STRIDE] as number)
      }
    }
    for (let i = 0; i < this.#addedCount; i++) out += `${this.#addedNames[i]}: ${this.addedValue(i)}\r\n`
    return out
  }

  #findAdded(lowerName: string, from: number): number {
    for (let i = from; i < this.#addedCount; i++) {
      const name = this.#addedNames[i] as string
      if (name.length === lowerName.length && equalsIgnoringCase(name, 0, lowerName)) return i
    }
    return -1
  }
}

/** Whether the bytes from `start` spell `lower`, letting ASCII capitals pass. */
export function spells(bytes: Uint8Array, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    const code = bytes[start + i] as number
    const wanted = lower.charCodeAt(i)
    if (code !== wanted && (code + 32 !== wanted || code < 65 || code > 90)) return false
  }
  return true
}

function equalsIgnoringCase(text: string, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i++) {
    const code = text.charCodeAt(start + i)
    const wanted = lower.charCodeAt(i)
    if (code !== wanted && (code + 32 !== wanted || code < 65 || code > 90)) return false
  }
  return true
}
