import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { hex, testSeed } from '../../../test/support/hpack.ts'
import { FLAGS_OF } from './field-flags.ts'
import { CODE_BITS, CODES, EOS } from './huffman-code.ts'
import { decodeHuffman, HUFFMAN_FLAG_BITS, huffmanBound } from './huffman-decode.ts'
import { encodeHuffman, huffmanLength } from './huffman-encode.ts'

const GUARD = 0xa5

/** The decoded bytes and their flags; undefined for an error. Sees that nothing is written beyond the bound. */
function decode(bytes: Uint8Array): { text: Buffer; flags: number } | undefined {
  const bound = huffmanBound(bytes.length)
  const into = Buffer.alloc(bound + 8, GUARD)
  const decoded = decodeHuffman(bytes, 0, bytes.length, into, 4)
  expect([...into.subarray(0, 4), ...into.subarray(4 + bound)]).toEqual(Array(8).fill(GUARD))
  if (decoded < 0) return undefined
  return { text: into.subarray(4, 4 + (decoded >>> HUFFMAN_FLAG_BITS)), flags: decoded & 7 }
}

function encode(text: Buffer): Buffer {
  const into = Buffer.alloc(huffmanLength(text, 0, text.length) + 4, GUARD)
  encodeHuffman(text, 0, text.length, into, 0)
  expect([...into.subarray(-4)]).toEqual(Array(4).fill(GUARD))
  return into.subarray(0, -4)
}

const CODE_TEXTS = Array.from({ length: EOS + 1 }, (_, symbol) =>
  (CODES[symbol] as number).toString(2).padStart(CODE_BITS[symbol] as number, '0'),
)
const SYMBOL_OF = new Map(CODE_TEXTS.map((code, symbol) => [code, symbol]))

/** RFC 7541 5.2 word by word, bit by bit. */
function decodeSlowly(bytes: Uint8Array): Buffer | undefined {
  const text: number[] = []
  let code = ''
  for (const bit of [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')) {
    code += bit
    const symbol = SYMBOL_OF.get(code)
    if (symbol === undefined) continue
    if (symbol === EOS) return undefined
    text.push(symbol)
    code = ''
  }
  return code.length < 8 && !code.includes('0') ? Buffer.from(text) : undefined
}

test('the code is a complete prefix code with the codes of RFC 7541 Appendix B', () => {
  expect(CODE_TEXTS.reduce((sum, code) => sum + 2 ** -code.length, 0)).toBe(1)
  const known = { '0': '00000', a: '00011', A: '100001', ':': '1011100', '&': '11111000', '~': '1111111111101' }
  for (const [char, code] of Object.entries(known)) expect([char, CODE_TEXTS[char.charCodeAt(0)]]).toEqual([char, code])
  expect(CODES[10]).toBe(0x3ffffffc)
  expect(CODES[0]).toBe(0x1ff8)
  expect(CODES[0xff]).toBe(0x3ffffee)
  expect(CODES[EOS]).toBe(0x3fffffff)
})

test('every pair of bytes goes there and back', () => {
  for (let first = 0; first < 256; first++) {
    const text = Buffer.from(Array.from({ length: 256 }, (_, second) => [first, second]).flat())
    const decoded = decode(encode(text))
    expect(decoded?.text).toEqual(text)
  }
})

test(`what the steps decode is what single bits say (seed ${testSeed})`, () => {
  const letters = fc.string({ minLength: 0, maxLength: 60 }).map((text) => encode(Buffer.from(text, 'latin1')))
  const noise = fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes))
  // Rare long codes meet each other only in bytes that are all high.
  const high = fc.array(fc.constantFrom(0xff, 0xfe, 0xfb, 0xf7, 0xc0, 0x80), { maxLength: 12 }).map(Buffer.from)
  const damaged = fc.tuple(letters, fc.nat(), fc.nat(7)).map(([bytes, place, bit]) => {
    if (bytes.length > 0) bytes[place % bytes.length]! ^= 1 << bit
    return bytes
  })
  fc.assert(
    fc.property(fc.oneof(letters, noise, high, damaged), (bytes) => {
      const expected = decodeSlowly(bytes)
      const decoded = decode(bytes)
      expect(decoded?.text).toEqual(expected)
      if (expected !== undefined) expect(decoded?.flags).toBe(expected.reduce((flags, b) => flags | FLAGS_OF[b]!, 0))
    }),
    { seed: testSeed, numRuns: 5000 },
  )
})

test.each([
  ['eight bits of padding', 'ff'],
  ['padding of zeros', '00'],
  ['padding that is not all ones', '1c'],
  ['a byte of padding after a text', '1c64ff'],
  ['EOS alone', 'ffffffff'],
  ['EOS inside', '1fffffffff8f'],
  ['a code that is cut off', 'fff8'],
])('refuses %s', (_, bytes) => {
  expect(decode(hex(bytes))).toBeUndefined()
  expect(decodeSlowly(hex(bytes))).toBeUndefined()
})

test('takes up to seven bits of padding', () => {
  expect(decode(hex('1f'))?.text.toString()).toBe('a')
  expect(decode(hex(''))?.text.toString()).toBe('')
  // X has a code of 8 bits, and a colon one of 7.
  expect(decode(hex('fc'))?.text.toString()).toBe('X')
  expect(decode(hex('b9'))?.text.toString()).toBe(':')
})
