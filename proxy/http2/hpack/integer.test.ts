import { expect, test } from '@jest/globals'
import { hex } from '../../../test/support/hpack.ts'
import { IntegerReader, writeInteger } from './integer.ts'

const MASKS = [0x0f, 0x1f, 0x3f, 0x7f]
/** What four bytes after the prefix can say. */
const MOST = (1 << 28) - 1

test.each(MASKS)('integers on both sides of every length go there and back (prefix %i)', (mask) => {
  const bytes = new Uint8Array(8)
  const reader = new IntegerReader()
  for (const rest of [0, 127, 128, (1 << 14) - 1, 1 << 14, (1 << 21) - 1, 1 << 21, MOST]) {
    const end = writeInteger(bytes, 1, 0x80, mask, mask + rest)
    expect([bytes[1], bytes[end - 1]! < 128]).toEqual([0x80 | mask, true])
    // As short as can be: seven bits a byte.
    expect(end - 2).toBe(Math.max(1, Math.ceil(Math.log2(rest + 1) / 7)))
    expect([reader.read(bytes, 2, end, mask), reader.end]).toEqual([mask + rest, end])
  }
  expect([writeInteger(bytes, 1, 0x80, mask, mask - 1), bytes[1]]).toEqual([2, 0x80 | (mask - 1)])
})

test.each([
  ['more than four bytes', '8080808001'],
  ['more than four bytes, of zeros', '8080808000'],
  ['what 32 bits do not hold', 'ffffffff7f'],
  ['no end', 'ffff'],
])('%s: refused', (_, bytes) => {
  expect(new IntegerReader().read(hex(bytes), 0, bytes.length / 2, 0x7f)).toBe(-1)
})

test('nothing is read beyond the end', () => {
  expect(new IntegerReader().read(hex('8001'), 0, 1, 0x7f)).toBe(-1)
  expect(new IntegerReader().read(hex('8001'), 0, 2, 0x7f)).toBe(255)
})
