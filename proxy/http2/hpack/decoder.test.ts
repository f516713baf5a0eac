import { describe, expect, test } from '@jest/globals'
import { decodeBlock, encodeBlock, type Field, hex, LIST_BYTES, readFields } from '../../../test/support/hpack.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { FieldLines, MAX_FIELDS } from './field-lines.ts'
import { HPACK_ERROR } from './hpack-error.ts'

const { compression, tooLarge, malformed } = HPACK_ERROR

/** A literal of which both strings are given as bytes; `first` 0x40 adds it to the table. */
function literal(name: string, value: string, first = 0x40): Buffer {
  const strings = [name, value].flatMap((text) => {
    if (text.length > 126) throw new Error('too long for one byte')
    return [text.length, ...Buffer.from(text, 'latin1')]
  })
  return Buffer.from([first, ...strings])
}

describe('a compression error', () => {
  test.each([
    ['index 0', '80'],
    ['an index beyond an empty table', 'be'],
    ['a large index beyond the table', 'ff8001'],
    ['a name beyond the table', '7e0161'],
    ['a name beyond the table, not indexed', '0f2f0161'],
    ['an index without its end', 'ff'],
    ['an index without its end, further on', 'ff80'],
    ['an index of six bytes', 'ff8080808001'],
    ['an index that would overflow 32 bits', 'ffffffffff7f'],
    ['a literal without anything', '40'],
    ['a literal without a value', '400161'],
    ['a name longer than the block', '400561'],
    ['a value longer than the block', '4001610562'],
    ['a name of a length without its end', '407f'],
    ['a value of a length without its end', '4001617f80'],
    ['a length of six bytes', '40 7f8080808001'],
    ['a name index without its end', '7f'],
    ['a size update without its end', '3f'],
    ['a size update over what was announced', '3fe21f'],
    ['a size update over what was announced, though a smaller one follows', '3fe21f 20'],
    ['a size update after a field', '8220'],
    ['a size update after a field that could be a literal', '8220 0161 0162'],
    ['a size update between fields', '82203f' + 'e11f82'],
    ['padding of zeros', '4081006161'],
    ['padding of eight ones', '000161' + '82fcff'],
    ['EOS in a value', '00016184ffffffff'],
  ])('%s', (_, block) => {
    const into = new FieldLines()
    const decoder = new HpackDecoder(4096)
    expect(decodeBlock(decoder, hex(block), LIST_BYTES, into)).toEqual({ error: compression, fields: [], never: [] })
    expect(into.end).toBe(into.base)
  })

  test('every block that is cut off inside a representation', () => {
    const block = Buffer.concat([literal('name', 'value'), literal('other', 'thing', 0)])
    const whole = [0, 12, block.length]
    for (let end = 0; end <= block.length; end++) {
      const { error } = decodeBlock(new HpackDecoder(4096), block.subarray(0, end))
      expect([end, error]).toEqual([end, whole.includes(end) ? 0 : compression])
    }
  })

  test('nothing is read beyond the end', () => {
    const block = Buffer.concat([literal('name', 'value'), hex('82')])
    const into = new FieldLines()
    expect(new HpackDecoder(4096).decode(block, 0, block.length - 3, into, LIST_BYTES)).toBe(compression)
    expect(new HpackDecoder(4096).decode(block, 0, block.length - 1, into, LIST_BYTES)).toBe(0)
    expect(into.count).toBe(1)
  })
})

describe('a malformed field', () => {
  const bytesOf = (codes: number[]) => codes.map((code) => String.fromCharCode(code))
  const controls = bytesOf([...Array(32).keys(), 127])

  test.each([
    [
      'names',
      [...controls.map((c) => `a${c}b`), ' a', 'a ', 'a:', 'a:b', ':', '::a', '', 'a\x80', '\xff', 'a"', 'A', 'x-B'],
    ],
    ['pseudo names', [':Path', ':a b', ':\r\n', ':a:b']],
  ])('%s', (_, names) => {
    for (const name of names) {
      const decoder = new HpackDecoder(4096)
      expect([name, decodeBlock(decoder, literal(name, 'v')).error]).toEqual([name, malformed])
      // It is in the table all the same, and refused again: as a field, and as the name of another.
      expect([name, decodeBlock(decoder, hex('be')).error]).toEqual([name, malformed])
      expect([name, decodeBlock(decoder, hex('7e0161')).error]).toEqual([name, malformed])
      expect(decodeBlock(decoder, literal('fine', 'v'))).toMatchObject({ error: 0, fields: [['fine', 'v']] })
      expect(decodeBlock(decoder, hex('c0')).error).toBe(malformed)
    }
  })

  test('an empty name in the place of a colon', () => {
    const decoder = new HpackDecoder(4096)
    const into = new FieldLines()
    expect(decodeBlock(decoder, literal(':', 'v'), LIST_BYTES, into).error).toBe(malformed)
    expect(decodeBlock(decoder, Buffer.from([0, 0x80, 0]), LIST_BYTES, into).error).toBe(malformed)
    expect(decodeBlock(decoder, literal('', 'v'), LIST_BYTES, into).error).toBe(malformed)
  })

  test('values', () => {
    const values = controls.filter((c) => c !== '\t').map((c) => `a${c}b`)
    for (const value of [...values, ' a', 'a ', '\ta', 'a\t', ' ', 'a\r\nx: y']) {
      const decoder = new HpackDecoder(4096)
      expect([value, decodeBlock(decoder, literal('n', value)).error]).toEqual([value, malformed])
      expect([value, decodeBlock(decoder, hex('be')).error]).toEqual([value, malformed])
      // Its name is good for another value.
      const again = decodeBlock(decoder, hex('7e0161'))
      expect(again).toMatchObject({ error: 0, fields: [['n', 'a']] })
    }
  })

  test('in Huffman code', () => {
    const encoder = new HpackEncoder(4096, { huffman: true, indexAtFirstSight: true })
    // Enough short codes beside, so that the code is the shorter way.
    for (const [name, value, error] of [
      ['aaaaaaaaaaaaaaaaaa', 'eeeeeeeeeeeeeeeeeeeeee\r', malformed],
      ['aaaaaaaaaaaaaaaaaa', 'eeeeeeeeeeeeee\0eeeeeee', malformed],
      ['aaaaaaaaaaaaaaaaaa\n', 'e', malformed],
      ['aaaaaaaaaaaa aaaaaa', 'e', malformed],
      [':aaaaaaaaaaaaaaaaaa', 'e', 0],
      ['aaaaaaaaaaaaaaaaaa', 'eeeeeeeeee eeeeeeeeeeeee', 0],
    ] as const) {
      const block = encodeBlock(encoder, [[name, value]])
      expect(block[1]! & 0x80).toBe(0x80)
      expect([name, value, decodeBlock(new HpackDecoder(4096), block).error]).toEqual([name, value, error])
    }
  })

  test('capitals pass where they were agreed upon, also those that are in the table already', () => {
    const decoder = new HpackDecoder(4096)
    expect(decodeBlock(decoder, literal('X-Name', 'v')).error).toBe(malformed)
    decoder.allowUpperCase = true
    expect(decodeBlock(decoder, hex('be'))).toMatchObject({ error: 0, fields: [['X-Name', 'v']] })
  })

  test('what a value may hold: HTAB and SP inside, and bytes over 127', () => {
    const value = 'a \tb\x80\xff'
    expect(decodeBlock(new HpackDecoder(4096), literal('n', value))).toMatchObject({ error: 0, fields: [['n', value]] })
    expect(decodeBlock(new HpackDecoder(4096), literal('n', ''))).toMatchObject({ error: 0, fields: [['n', '']] })
  })

  test('the rest of its block still fills the table', () => {
    const decoder = new HpackDecoder(4096)
    const block = Buffer.concat([literal('bad name', 'v'), literal('one', '1'), hex('82'), literal('two', '2', 0)])
    expect(decodeBlock(decoder, block)).toEqual({ error: malformed, fields: [], never: [] })
    expect(decodeBlock(decoder, hex('be'))).toMatchObject({ error: 0, fields: [['one', '1']] })
  })
})

describe('bounds', () => {
  const list: Field[] = [
    ['a', '1'],
    ['bb', '22'],
    ['a', '1'],
  ]
  const size = 3 * 32 + 2 + 4 + 2

  test('name, value and 32 of every field count, repeats too', () => {
    const block = encodeBlock(new HpackEncoder(4096, { indexAtFirstSight: true }), list)
    expect(decodeBlock(new HpackDecoder(4096), block, size)).toMatchObject({ error: 0, fields: list })
    const decoder = new HpackDecoder(4096)
    expect(decodeBlock(decoder, block, size - 1)).toEqual({ error: tooLarge, fields: [], never: [] })
    expect(decodeBlock(decoder, hex('be bf'))).toMatchObject({
      error: 0,
      fields: [
        ['bb', '22'],
        ['a', '1'],
      ],
    })
  })

  test('MAX_FIELDS fields and no more', () => {
    const decoder = new HpackDecoder(4096)
    expect(decodeBlock(decoder, Buffer.alloc(MAX_FIELDS, 0x82)).fields).toHaveLength(MAX_FIELDS)
    expect(decodeBlock(decoder, Buffer.alloc(MAX_FIELDS + 1, 0x82)).error).toBe(tooLarge)
  })

  test('an index after the bound was passed must still be one of the table', () => {
    const block = Buffer.concat([Buffer.alloc(MAX_FIELDS + 1, 0x82), hex('be')])
    expect(decodeBlock(new HpackDecoder(4096), block).error).toBe(compression)
  })

  test('a large entry named thousands of times is neither copied nor kept', () => {
    const decoder = new HpackDecoder(4096)
    const value = 'v'.repeat(4000)
    const into = new FieldLines()
    const lengths = hex('7fa11e')
    const entry = Buffer.concat([hex('40 01 61'), lengths, Buffer.from(value)])
    expect(decodeBlock(decoder, entry, LIST_BYTES, into)).toMatchObject({ error: 0, fields: [['a', value]] })
    const bomb = Buffer.concat([Buffer.alloc(1 << 20, 0xbe), literal('after', 'it')])
    const before = into.end
    for (let i = 0; i < 20; i++) expect(decoder.decode(bomb, 0, bomb.length, into, 60 * 1024)).toBe(tooLarge)
    // 60 KiB did not fit behind the first block and moved to a slab of their own, once at the most in each round.
    expect(into.bytes.length).toBeLessThanOrEqual(64 * 1024)
    expect([before > 0, into.count, into.end - into.base]).toEqual([true, 0, 0])
    // The table is in step.
    expect(decodeBlock(decoder, hex('be'))).toMatchObject({ error: 0, fields: [['after', 'it']] })
  })

  test('a string over the bound does not leave a larger slab behind', () => {
    const into = new FieldLines()
    const long = encodeBlock(new HpackEncoder(), [['n', 'x'.repeat(500_000)]])
    const decoder = new HpackDecoder(4096)
    expect(decodeBlock(decoder, long, 60 * 1024, into).error).toBe(tooLarge)
    expect(into.bytes.length).toBe(64 * 1024)
    expect(decodeBlock(decoder, long, LIST_BYTES, into).fields[0]?.[1]).toHaveLength(500_000)
  })
})

describe('the size of the table', () => {
  test('updates at the start change it, the smallest evicts', () => {
    const decoder = new HpackDecoder(4096)
    decodeBlock(decoder, literal('name', 'value'))
    expect(decodeBlock(decoder, hex('20 3fe11f'))).toMatchObject({ error: 0, fields: [] })
    expect(decodeBlock(decoder, hex('be')).error).toBe(compression)
  })

  test('an entry larger than the table empties it', () => {
    const decoder = new HpackDecoder(4096)
    expect(decodeBlock(decoder, Buffer.concat([hex('3f09'), literal('a', '1')])).error).toBe(0)
    expect(decodeBlock(decoder, hex('be'))).toMatchObject({ error: 0, fields: [['a', '1']] })
    const large = decodeBlock(decoder, literal('much', 'larger'))
    expect(large).toMatchObject({ error: 0, fields: [['much', 'larger']] })
    expect(decodeBlock(decoder, hex('be')).error).toBe(compression)
  })

  test('a new entry may take its name from one that it drives out', () => {
    const decoder = new HpackDecoder(4096)
    // 50 bytes: one entry of at most 18 of name and value.
    expect(decodeBlock(decoder, Buffer.concat([hex('3f13'), literal('some-name', '1')])).error).toBe(0)
    expect(decodeBlock(decoder, Buffer.concat([hex('7e02'), Buffer.from('22')])).fields).toEqual([['some-name', '22']])
    expect(decodeBlock(decoder, hex('be')).fields).toEqual([['some-name', '22']])
    expect(decodeBlock(decoder, hex('bf')).error).toBe(compression)
  })

  test('a smaller size than the default holds when the peer has acknowledged it', () => {
    const decoder = new HpackDecoder(100)
    // Before that the peer may know only the default.
    expect(decodeBlock(decoder, literal('a', 'x'.repeat(100)))).toMatchObject({ error: 0 })
    expect(decodeBlock(decoder, hex('be')).error).toBe(0)
    decoder.settingsAcknowledged()
    const over = new HpackDecoder(100)
    over.settingsAcknowledged()
    expect(decodeBlock(over, hex('82')).error).toBe(compression)
    expect(decodeBlock(decoder, hex('3f46')).error).toBe(compression)
    expect(decodeBlock(decoder, hex('3f45 82')).error).toBe(0)
    expect(decodeBlock(decoder, hex('be')).error).toBe(compression)
  })

  test('a larger size than the default is used when the peer says so', () => {
    const decoder = new HpackDecoder(65536)
    expect(decodeBlock(decoder, hex('3fe2ff03')).error).toBe(compression)
    expect(decodeBlock(decoder, hex('3fe1ff03')).error).toBe(0)
    for (let i = 0; i < 400; i++) decodeBlock(decoder, literal(`name-${i}`, 'x'.repeat(100)))
    // 400 entries later the first one is still there.
    const oldest = decodeBlock(decoder, hex('ff ce02')).fields
    expect(oldest).toEqual([['name-0', 'x'.repeat(100)]])
    expect(decodeBlock(decoder, hex('ff cf02')).error).toBe(compression)
  })
})

test('tells which fields may never be indexed', () => {
  const block = Buffer.concat([
    literal('a', '1', 0),
    literal('b', '2', 0x10),
    hex('82'),
    hex('1f11 0161'),
    literal('c', '3'),
  ])
  const { error, never, fields } = decodeBlock(new HpackDecoder(4096), block)
  expect([error, never, fields.length]).toEqual([0, ['b', 'cookie'], 5])
})

test('blocks follow each other in a slab, and none is written again', () => {
  const into = new FieldLines()
  const decoder = new HpackDecoder(4096)
  const kept: { slice: Buffer; text: string }[] = []
  for (let i = 0; i < 2000; i++) {
    // Every seventh is refused, and its place used again.
    const isBad = i % 7 === 0
    const text = `value ${i} x${'x'.repeat(i % 100)}`
    const block = literal('name', isBad ? `${text}\0` : text)
    expect(decoder.decode(block, 0, block.length, into, LIST_BYTES)).toBe(isBad ? malformed : 0)
    if (isBad) expect(into.end).toBe(into.base)
    else kept.push({ slice: into.bytes.subarray(into.base, into.end), text: `name: ${text}\r\n` })
  }
  for (const { slice, text } of kept) expect(slice.toString('latin1')).toBe(text)
  expect(new Set(kept.map(({ slice }) => slice.buffer)).size).toBeLessThan(5)
})

test('a block that outgrows its slab moves as a whole', () => {
  const into = new FieldLines()
  const fields: Field[] = Array.from({ length: 60 }, (_, i) => [`n${i}`, String(i % 10).repeat(3000)])
  const block = encodeBlock(new HpackEncoder(), fields)
  const decoder = new HpackDecoder(4096)
  for (let i = 0; i < 3; i++) {
    expect(decodeBlock(decoder, block, LIST_BYTES, into).fields).toEqual(fields)
    const { bytes, base, end } = into
    const before = bytes.toString('latin1', base, end)
    decodeBlock(decoder, hex('82'), LIST_BYTES, into)
    expect(bytes.toString('latin1', base, end)).toBe(before)
    expect(readFields(into).fields).toEqual([[':method', 'GET']])
  }
})
