import { expect } from '@jest/globals'
import { randomInt, systemRandom } from '../../lib/random.ts'
import { ByteSink } from '../../proxy/http2/hpack/byte-sink.ts'
import type { HpackDecoder } from '../../proxy/http2/hpack/decoder.ts'
import type { HpackEncoder } from '../../proxy/http2/hpack/encoder.ts'
import { FieldLines } from '../../proxy/http2/hpack/field-lines.ts'

/** What the tests of HPACK share: header blocks in and out of lists of names and values. */

export type Field = [name: string, value: string]

export interface Decoded {
  error: number
  fields: Field[]
  /** Names of the fields that came as literals never to be indexed. */
  never: string[]
}

/** Seed of a property test: its own, or the one of LATEEN_TEST_SEED. */
export const testSeed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))

export const LIST_BYTES = 1 << 20

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex')
}

export function decodeBlock(
  decoder: HpackDecoder,
  block: Buffer,
  maxListBytes = LIST_BYTES,
  into = new FieldLines(),
): Decoded {
  const error = decoder.decode(block, 0, block.length, into, maxListBytes)
  return { error, ...readFields(into) }
}

/** The fields by their offsets; throws when those and the lines do not agree. */
export function readFields(into: FieldLines): Omit<Decoded, 'error'> {
  const { at, base, bytes, count, end, neverIndexed } = into
  const fields: Field[] = []
  let lines = ''
  for (let i = 0; i < count; i++) {
    const [nameStart, nameEnd, valueStart, valueEnd] = at.subarray(4 * i, 4 * i + 4) as unknown as number[]
    const name = bytes.toString('latin1', base + nameStart!, base + nameEnd!)
    const value = bytes.toString('latin1', base + valueStart!, base + valueEnd!)
    fields.push([name, value])
    lines += `${name}: ${value}\r\n`
  }
  if (lines !== bytes.toString('latin1', base, end) || at[4 * count] !== end - base) throw new Error('lines differ')
  return { fields, never: fields.filter((_, i) => neverIndexed[i] === 1).map(([name]) => name) }
}

/** Encodes by `bytes`, with lower-case names. */
export function encodeBlock(encoder: HpackEncoder, fields: readonly Field[], neverIndexed = false): Buffer {
  const out = new ByteSink(16)
  encoder.begin(out)
  for (const [name, value] of fields) {
    const bytes = Buffer.from(`${name}${value}`, 'latin1')
    encoder.bytes(out, bytes, undefined, 0, name.length, name.length, bytes.length, true, neverIndexed)
  }
  return Buffer.from(out.bytes.subarray(0, out.end))
}

export function encodeText(encoder: HpackEncoder, fields: readonly Field[]): Buffer {
  const out = new ByteSink(16)
  encoder.begin(out)
  for (const [name, value] of fields) encoder.text(out, name, value)
  return Buffer.from(out.bytes.subarray(0, out.end))
}

/** What `toEqual` says, asked only when the two differ: it takes a millisecond for a list, and these are thousands. */
export function expectSame(actual: unknown, expected: unknown): void {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) expect(actual).toEqual(expected)
}
