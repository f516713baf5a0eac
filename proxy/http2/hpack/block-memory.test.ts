import { expect, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../../lib/random.ts'
import { decodeBlock, encodeBlock, type Field, hex, testSeed } from '../../../test/support/hpack.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { FieldLines } from './field-lines.ts'

test('a decoder that remembers says the same as one that is new to every block', () => {
  const random = seededRandom(testSeed)
  console.log(`blocks that come again, seed ${testSeed}`)
  const messages: Field[][] = Array.from({ length: 6 }, (_, i) => [
    [':status', String(200 + i)],
    ['server', 'x'.repeat(i)],
    ['x-kind', `kind ${i % 3}`],
  ])
  for (let run = 0; run < 40; run++) {
    const encoder = new HpackEncoder()
    const decoder = new HpackDecoder(4096)
    const blocks: Buffer[] = []
    const into = new FieldLines()
    for (let i = 0; i < 60; i++) {
      if (randomInt(random, 15) === 0) encoder.setMaxTableBytes(randomInt(random, 3) * 100)
      const fields = messages[randomInt(random, 1 + (run % messages.length))] as Field[]
      const block = encodeBlock(encoder, fields, randomInt(random, 12) === 0)
      blocks.push(block)
      const got = decodeBlock(decoder, block, undefined, into)
      expect(got.fields).toEqual(fields)
      // From the beginning, by a decoder that never sees a block twice in the same way.
      const fresh = new HpackDecoder(4096)
      let last = got
      for (const one of blocks) last = decodeBlock(fresh, one)
      expect(got).toEqual(last)
    }
  }
})

/** Representations of fields, in the names of RFC 7541, which blocks are put together from. */
const PIECES = [
  '82', // indexed, in the static table
  '88',
  'be', // indexed, the newest of the dynamic table
  'bf',
  '54 03 67 65 74', // incremental, a static name
  '61 04 74 69 6d 65',
  '76 85 ae c3 77 1a 4b', // and a value by Huffman's code
  '40 01 61 01 31', // incremental, a name of its own
  '7e 01 39', // incremental, a name of the dynamic table
  '0f 0d 02 31 32', // not indexed, a static name
  '00 01 62 01 32', // not indexed, a name of its own
  '10 01 63 01 33', // never indexed
].map((piece) => hex(piece))
const NOTHING = Buffer.alloc(0)
const SIZE_UPDATES = [NOTHING, NOTHING, NOTHING, NOTHING, hex('20'), hex('3f 45'), hex('3f e1 1f')]

test('blocks that fill the table say and do the same when they come again', () => {
  const random = seededRandom(testSeed)
  console.log(`blocks that fill the table, seed ${testSeed}`)
  const one = <T>(of: readonly T[]): T => of[randomInt(random, of.length)] as T
  let again = 0
  for (let run = 0; run < 300; run++) {
    const blocks = Array.from({ length: 1 + randomInt(random, 4) }, () =>
      Buffer.concat([one(SIZE_UPDATES), ...Array.from({ length: 1 + randomInt(random, 6) }, () => one(PIECES))]),
    )
    const decoder = new HpackDecoder(4096)
    const forgetful = new HpackDecoder(4096)
    const into = new FieldLines()
    decoder.settingsAcknowledged()
    for (let i = 0; i < 40; i++) {
      forgetful.settingsAcknowledged()
      const block = one(blocks)
      const { bytes } = into
      const got = decodeBlock(decoder, block, undefined, into)
      expect(got).toEqual(decodeBlock(forgetful, block))
      if (into.bytes !== bytes) again++
      // An error is the end of a connection.
      if (got.error !== 0) break
    }
  }
  expect(again).toBeGreaterThan(100)
})

test('an answer that adds all its fields anew is known when it comes again', () => {
  const decoder = new HpackDecoder(4096)
  const into = new FieldLines()
  const block = hex('88 76 85 ae c3 77 1a 4b 61 04 74 69 6d 65')
  const shown = Array.from({ length: 5 }, () => {
    expect(decodeBlock(decoder, block, undefined, into).fields).toHaveLength(3)
    return into.bytes
  })
  expect(new Set(shown.slice(2)).size).toBe(1)
  expect(shown[2]).not.toBe(shown[1])
  // Newest first: it was added five times.
  const added = decodeBlock(decoder, hex('be bf c0 c1 c2 c3 c4 c5 c6 c7')).fields
  expect(added).toEqual(
    Array(5)
      .fill([['date', 'time'], added[1]])
      .flat(),
  )
  expect(decodeBlock(decoder, hex('c8')).error).not.toBe(0)
})

test('the same bytes mean another thing once the table has changed', () => {
  const decoder = new HpackDecoder(4096)
  const into = new FieldLines()
  const read = (block: string) => decodeBlock(decoder, hex(block), undefined, into).fields
  expect(read('40 01 61 01 31')).toEqual([['a', '1']])
  for (let i = 0; i < 5; i++) expect(read('be')).toEqual([['a', '1']])
  expect(read('40 01 62 01 32')).toEqual([['b', '2']])
  for (let i = 0; i < 5; i++) expect(read('be')).toEqual([['b', '2']])
})

test('the same bytes mean another thing once a block that is known has filled the table again', () => {
  const decoder = new HpackDecoder(4096)
  const into = new FieldLines()
  const read = (block: string) => decodeBlock(decoder, hex(block), undefined, into).fields
  // Of lengths that do not drive each other out.
  const [one, other, newest] = ['40 02 61 61 01 31', '40 03 62 62 62 01 32', 'be']
  for (let i = 0; i < 3; i++) expect(read(one)).toEqual([['aa', '1']])
  for (let i = 0; i < 3; i++) expect(read(other)).toEqual([['bbb', '2']])
  for (let i = 0; i < 3; i++) expect(read(newest)).toEqual([['bbb', '2']])
  expect(read(one)).toEqual([['aa', '1']])
  for (let i = 0; i < 3; i++) expect(read(newest)).toEqual([['aa', '1']])
  // In their order.
  for (const block of [other, one, other, other]) read(block)
  expect(read('be bf c0 c1 c2').map(([name]) => name)).toEqual(['bbb', 'bbb', 'aa', 'bbb', 'aa'])
})

test('what was shown stays as it is while other blocks come', () => {
  const decoder = new HpackDecoder(4096)
  const into = new FieldLines()
  for (let i = 0; i < 3; i++) decodeBlock(decoder, hex('82 84'), undefined, into)
  const { bytes, base, end } = into
  const text = bytes.toString('latin1', base, end)
  for (let i = 0; i < 50; i++) decodeBlock(decoder, encodeBlock(new HpackEncoder(), [['x', `${i}`]]), undefined, into)
  expect(bytes.toString('latin1', base, end)).toBe(text)
})

test('a smaller table that was announced is asked for even when the block is known', () => {
  const decoder = new HpackDecoder(0)
  for (let i = 0; i < 3; i++) expect(decodeBlock(decoder, hex('82')).error).toBe(0)
  decoder.settingsAcknowledged()
  expect(decodeBlock(decoder, hex('82')).error).not.toBe(0)
  expect(decodeBlock(decoder, hex('20 82')).error).toBe(0)
})
