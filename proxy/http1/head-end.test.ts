import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { findHeadEnd } from './head-end.ts'

const piece = fc.constantFrom('\r\n\r\n', '\r\n', '\r', '\n', '\n\r', 'a', '\t', '\0', 'field: value', 'b'.repeat(250))

test('it is where a search finds it, wherever that begins', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.nat(20), (pieces, start) => {
      const bytes = Buffer.from(pieces.join(''), 'latin1')
      expect(findHeadEnd(bytes, start)).toBe(bytes.indexOf('\r\n\r\n', start))
    }),
    { numRuns: 5000 },
  )
})

test('it is found at every place around the bound of the loop', () => {
  for (let at = 500; at < 530; at++) {
    const bytes = Buffer.from(`${'a'.repeat(at)}\r\n\r\nb`, 'latin1')
    expect(findHeadEnd(bytes, 0)).toBe(at)
    expect(findHeadEnd(bytes.subarray(0, -2), 0)).toBe(-1)
  }
})
