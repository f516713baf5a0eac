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

test('the same bytes mean another thing once the table has changed', () => {
  const decoder = new HpackDecoder(4096)
  const into = new FieldLines()
  const read = (block: string) => decodeBlock(decoder, hex(block), undefined, into).fields
  expect(read('40 01 61 01 31')).toEqual([['a', '1']])
  for (let i = 0; i < 5; i++) expect(read('be')).toEqual([['a', '1']])
  expect(read('40 01 62 01 32')).toEqual([['b', '2']])
  for (let i = 0; i < 5; i++) expect(read('be')).toEqual([['b', '2']])
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
