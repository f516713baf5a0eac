import { describe, expect, test } from '@jest/globals'
import { decodeBlock, encodeBlock, type Field, hex } from '../../../test/support/hpack.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { IntegerReader, writeInteger } from './integer.ts'

/** The examples of RFC 7541 Appendix C. */

test.each([
  ['C.1.1', 10, 0x1f, '0a'],
  ['C.1.2', 1337, 0x1f, '1f9a0a'],
  ['C.1.3', 42, 0xff, '2a'],
])('%s: the integer %i', (_, value, mask, written) => {
  const bytes = new Uint8Array(8)
  expect(Buffer.from(bytes.subarray(0, writeInteger(bytes, 0, 0, mask, value))).toString('hex')).toBe(written)
  if (value < mask) return
  const reader = new IntegerReader()
  const from = hex(written)
  expect([reader.read(from, 1, from.length, mask), reader.end]).toEqual([value, from.length])
})

test.each([
  ['C.2.1', '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key', 'custom-header', true],
  ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', ':path', '/sample/path', false],
  ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', 'password', 'secret', false],
  ['C.2.4', '82', ':method', 'GET', false],
])('%s decodes, and the table holds what it should', (_, block, name, value, isInTable) => {
  const decoder = new HpackDecoder(4096)
  expect(decodeBlock(decoder, hex(block))).toMatchObject({ error: 0, fields: [[name, value]] })
  const newest = decodeBlock(decoder, hex('be'))
  expect(newest).toMatchObject(isInTable ? { error: 0, fields: [[name, value]] } : { error: 1 })
})

test('C.2.2 and C.2.4 are what is written, C.2.3 as a field that came so', () => {
  const encoder = new HpackEncoder(4096, { indexAtFirstSight: true })
  expect(encodeBlock(encoder, [[':path', '/sample/path']])).toEqual(hex('040c 2f73 616d 706c 652f 7061 7468'))
  expect(encodeBlock(encoder, [[':method', 'GET']])).toEqual(hex('82'))
  const secret: Field[] = [['password', 'secret']]
  expect(encodeBlock(encoder, secret, true)).toEqual(hex('1008 7061 7373 776f 7264 0673 6563 7265 74'))
  const custom: Field[] = [['custom-key', 'custom-header']]
  expect(encodeBlock(encoder, custom)).toEqual(hex('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'))
})

interface Step {
  fields: Field[]
  plain: string
  huffman: string
  /** Fields at the end of the list that we write in another way. */
  others?: number
  /** What we write instead with Huffman code. */
  ours?: string
}

const REQUESTS: Step[] = [
  {
    fields: [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
    ],
    plain: '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    huffman: '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
  },
  {
    fields: [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', 'www.example.com'],
      ['cache-control', 'no-cache'],
    ],
    plain: '8286 84be 5808 6e6f 2d63 6163 6865',
    huffman: '8286 84be 5886 a8eb 1064 9cbf',
  },
  {
    fields: [
      [':method', 'GET'],
      [':scheme', 'https'],
      [':path', '/index.html'],
      [':authority', 'www.example.com'],
      ['custom-key', 'custom-value'],
    ],
    plain: '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    huffman: '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  },
]

const COOKIE = 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'

const RESPONSES: Step[] = [
  {
    fields: [
      [':status', '302'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ],
    plain:
      '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    huffman:
      '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
  },
  {
    fields: [
      [':status', '307'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
      ['location', 'https://www.example.com'],
    ],
    plain: '4803 3330 37c1 c0bf',
    huffman: '4883 640e ffc1 c0bf',
    // The code of 307 is no shorter than the digits, and these are read faster.
    ours: '4803 3330 37c1 c0bf',
  },
  {
    fields: [
      [':status', '200'],
      ['cache-control', 'private'],
      ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
      ['location', 'https://www.example.com'],
      ['content-encoding', 'gzip'],
      ['set-cookie', COOKIE],
    ],
    plain:
      '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
    huffman:
      '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
    // set-cookie is indexed in the example, and never by us.
    others: 1,
  },
]

describe.each([
  ['C.3', REQUESTS, 4096, false],
  ['C.4', REQUESTS, 4096, true],
  ['C.5', RESPONSES, 256, false],
  ['C.6', RESPONSES, 256, true],
] as const)('%s', (_, steps, tableBytes, huffman) => {
  test('decodes', () => {
    const decoder = new HpackDecoder(tableBytes)
    // The examples begin with a table of 256 bytes, which a connection comes to by an update.
    if (tableBytes === 256) expect(decodeBlock(decoder, hex('3fe101'))).toMatchObject({ error: 0, fields: [] })
    for (const step of steps) {
      const decoded = decodeBlock(decoder, hex(huffman ? step.huffman : step.plain))
      expect(decoded).toEqual({ error: 0, fields: step.fields, never: [] })
    }
  })

  test('encodes to the same bytes', () => {
    const encoder = new HpackEncoder(tableBytes, { huffman, indexAtFirstSight: true })
    for (const step of steps) {
      const fields = step.fields.slice(0, step.fields.length - (step.others ?? 0))
      const expected = hex(huffman ? (step.ours ?? step.huffman) : step.plain)
      const encoded = encodeBlock(encoder, fields)
      if (step.others === undefined) expect(encoded).toEqual(expected)
      else {
        expect(expected.subarray(0, encoded.length)).toEqual(encoded)
        // What is left begins with the field that is indexed there: incremental, by the name of set-cookie.
        expect(expected[encoded.length]).toBe(0x40 | 55)
      }
    }
  })
})
