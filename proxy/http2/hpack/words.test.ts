import { expect, test } from '@jest/globals'
import { copyBytes, equalBytes, viewOf } from '../../../lib/words.ts'
import { copyLower, equalLower, hashBytes, hashName } from './words.ts'

const GUARD = 0xa5
const LENGTHS = Array.from({ length: 14 }, (_, length) => length)
/** Every byte, in an order in which bytes next to each other are of different kinds. */
const SOURCE = Buffer.from(Array.from({ length: 256 }, (_, i) => (i * 97) & 255))
const LOWER = Buffer.from([...SOURCE].map((byte) => (byte >= 65 && byte <= 90 ? byte + 32 : byte)))

test.each([
  ['copyBytes', copyBytes, SOURCE],
  ['copyLower', copyLower, LOWER],
] as const)('%s copies every byte, and none beside', (_, copy, expected) => {
  for (const length of LENGTHS) {
    for (let at = 0; at + length <= 256; at++) {
      const to = Buffer.alloc(length + 6, GUARD)
      copy(viewOf(SOURCE), at, viewOf(to), 3, length)
      const guards = Buffer.alloc(3, GUARD)
      const wanted = Buffer.concat([guards, expected.subarray(at, at + length), guards])
      if (!to.equals(wanted)) expect([at, length, to]).toEqual([at, length, wanted])
    }
  }
})

test.each([
  ['equalBytes', equalBytes, SOURCE],
  ['equalLower', equalLower, LOWER],
] as const)('%s sees a difference in each byte, and none beside', (_, equal, other) => {
  for (const length of LENGTHS) {
    for (let at = 1; at + length < 256; at += 5) {
      const differs = (place: number) => {
        const changed = Buffer.from(other)
        changed[place]! ^= 1
        return !equal(viewOf(SOURCE), at, viewOf(changed), at, length)
      }
      expect(equal(viewOf(SOURCE), at, viewOf(other), at, length)).toBe(true)
      expect([differs(at - 1), differs(at + length)]).toEqual([false, false])
      for (let i = 0; i < length; i++) expect([at, length, i, differs(at + i)]).toEqual([at, length, i, true])
    }
  }
})

test('a name has the same hash in every case, and each byte of a value changes its own', () => {
  const hash = (text: string) => hashName(viewOf(Buffer.from(text)), 0, text.length)
  for (const name of ['x', 'te', 'etag', 'vary-x', 'content-type']) {
    expect(hash(name.toUpperCase())).toBe(hash(name))
    expect(hash(`${name}x`)).not.toBe(hash(name))
  }
  for (const length of LENGTHS) {
    const before = hashBytes(viewOf(SOURCE), 0, length, 7)
    for (let i = 0; i < length; i++) {
      const changed = Buffer.from(SOURCE)
      changed[i]! ^= 0x40
      expect([length, i, hashBytes(viewOf(changed), 0, length, 7)]).not.toEqual([length, i, before])
    }
  }
})
