import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { copyBytes, viewOf } from './words.ts'

const GUARD = 0xaa

/** Bytes of any kind, many of which are no numbers when eight of them are read as one. */
const bytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.constantFrom([0, 0, 0, 0, 0, 0, 0xf8, 0x7f], [1, 0, 0, 0, 0, 0, 0xf0, 0x7f], [0xff, 0xff, 0xff, 0xff]),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.from(parts.flatMap((part) => [...part])))

test('bytes are copied as they are, and none beside them is touched', () => {
  fc.assert(
    fc.property(bytes, fc.nat(9), fc.nat(9), (source, before, toBefore) => {
      const from = Buffer.concat([Buffer.alloc(before), source])
      const to = Buffer.alloc(toBefore + source.length + 9, GUARD)
      copyBytes(viewOf(from), before, viewOf(to), toBefore, source.length)
      const expected = Buffer.alloc(to.length, GUARD)
      source.copy(expected, toBefore)
      expect(to).toEqual(expected)
    }),
    { numRuns: 2000 },
  )
})
