import { expect, test } from '@jest/globals'
import { type Random, randomInt, seededRandom } from '../../../lib/random.ts'
import { decodeBlock, encodeBlock, expectSame, readFields, testSeed } from '../../../test/support/hpack.ts'
import { pick, randomFields } from '../../../test/support/random-fields.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { FieldLines } from './field-lines.ts'
import { HPACK_ERROR } from './hpack-error.ts'

const MAX_LIST_BYTES = 1500
const ROUNDS = 2000
const GUARD = 0xa5
const GUARDS = Buffer.alloc(64 * 1024, GUARD)

/** Bytes that begin representations and strings, so that chance comes further than the first few. */
const TELLING = [0x00, 0x01, 0x10, 0x1f, 0x20, 0x3f, 0x40, 0x41, 0x7f, 0x80, 0x82, 0xbe, 0xc0, 0xff]

function randomBlock(random: Random): Buffer {
  const bytes = Buffer.alloc(randomInt(random, 60))
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = randomInt(random, 2) === 0 ? pick(random, TELLING) : randomInt(random, 256)
  }
  return bytes
}

function mutated(random: Random, block: Buffer): Buffer {
  const bytes = Buffer.from(block)
  for (let n = 1 + randomInt(random, 3); n > 0 && bytes.length > 0; n--) {
    const at = randomInt(random, bytes.length)
    const kind = randomInt(random, 4)
    if (kind === 0) bytes[at]! ^= 1 << randomInt(random, 8)
    else if (kind === 1) bytes[at] = pick(random, TELLING)
    else if (kind === 2) bytes.copyWithin(at, randomInt(random, bytes.length))
    else return bytes.subarray(0, at)
  }
  return bytes
}

const CLEAN_NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/
const CLEAN_VALUE = /^([\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** Everything that a list of HTTP/1 lines may not have, in what was let through. */
function expectClean(into: FieldLines): void {
  const { fields } = readFields(into)
  expectSame(
    fields.filter(([name, value]) => !CLEAN_NAME.test(name) || !CLEAN_VALUE.test(value)),
    [],
  )
  const listBytes = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)
  expect(listBytes).toBeLessThanOrEqual(MAX_LIST_BYTES)
}

test(`hostile blocks end with a verdict, and nothing is written but lines (seed ${testSeed})`, () => {
  const random = seededRandom(testSeed)
  const verdicts = new Map<number, number>()
  const into = new FieldLines()
  for (let round = 0; round < ROUNDS; round++) {
    const decoder = new HpackDecoder(pick(random, [0, 100, 4096]))
    const encoder = new HpackEncoder(4096, { huffman: randomInt(random, 2) === 0, indexAtFirstSight: true })
    for (let b = 0; b < 6; b++) {
      const good = encodeBlock(encoder, randomFields(random))
      const block = b < 2 ? good : randomInt(random, 3) === 0 ? randomBlock(random) : mutated(random, good)
      into.begin()
      const { bytes, end } = into
      // What other streams may hold is before this; what comes after is free.
      bytes.fill(GUARD, 0, end)
      const error = decoder.decode(block, 0, block.length, into, MAX_LIST_BYTES)
      verdicts.set(error, (verdicts.get(error) ?? 0) + 1)
      expect(bytes.compare(GUARDS, 0, end, 0, end)).toBe(0)
      expect(into.bytes.length).toBeLessThanOrEqual(64 * 1024)
      if (error === 0) expectClean(into)
      else expectSame([into.count, into.end], [0, into.base])
      if (error === HPACK_ERROR.compression) break
    }
  }
  // Each kind was met often enough to mean something.
  for (const verdict of [0, ...Object.values(HPACK_ERROR)]) expect(verdicts.get(verdict) ?? 0).toBeGreaterThan(20)
})

test(`a block that is refused leaves the table as a decoder without bounds has it (seed ${testSeed})`, () => {
  const random = seededRandom(testSeed)
  let refused = 0
  for (let c = 0; c < 200; c++) {
    const encoder = new HpackEncoder(4096, { indexAtFirstSight: true })
    const strict = new HpackDecoder(4096)
    const generous = new HpackDecoder(4096)
    for (let b = 0; b < 30; b++) {
      const block = encodeBlock(encoder, randomFields(random))
      const expected = decodeBlock(generous, block)
      const decoded = decodeBlock(strict, block, randomInt(random, 3000))
      expectSame(expected.error, 0)
      if (decoded.error === 0) expectSame(decoded, expected)
      else {
        expectSame(decoded.error, HPACK_ERROR.tooLarge)
        refused++
      }
    }
  }
  expect(refused).toBeGreaterThan(100)
})

test('a long block of any one byte is decoded in time of its length', () => {
  const into = new FieldLines()
  for (let byte = 0; byte < 256; byte++) {
    const block = Buffer.alloc(1 << 18, byte)
    const decoder = new HpackDecoder(4096)
    decodeBlock(decoder, Buffer.concat([Buffer.from([0x40, 1, 97, 100]), Buffer.alloc(100, 98)]))
    const error = decoder.decode(block, 0, block.length, into, MAX_LIST_BYTES)
    // Size updates, of one byte or two, may stand at the start in any number.
    if (byte >= 0x20 && byte < 0x40) expect([byte, error]).toEqual([byte, 0])
    else expect([byte, error]).not.toEqual([byte, 0])
    expect(into.bytes.length).toBeLessThanOrEqual(64 * 1024)
  }
})
