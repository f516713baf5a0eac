import { expect, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../../lib/random.ts'
import { decodeBlock, encodeBlock, encodeText, expectSame, LIST_BYTES, testSeed } from '../../../test/support/hpack.ts'
import { randomFields } from '../../../test/support/random-fields.ts'
import { HpackDecoder } from './decoder.ts'
import { HpackEncoder } from './encoder.ts'
import { FieldLines } from './field-lines.ts'

const CONNECTIONS = 40
const BLOCKS = 100

test(`what ours encodes ours decodes, whatever happens to the table (seed ${testSeed})`, () => {
  const random = seededRandom(testSeed)
  const into = new FieldLines()
  let bytes = 0
  let plain = 0
  for (let c = 0; c < CONNECTIONS; c++) {
    const announced = [0, 64, 300, 4096, 65536][c % 5] as number
    const decoder = new HpackDecoder(announced)
    const encoder = new HpackEncoder(undefined, { huffman: randomInt(random, 2) === 0, indexAtFirstSight: c % 3 === 0 })
    for (let b = 0; b < BLOCKS; b++) {
      if (randomInt(random, 8) === 0) {
        // As by settings that follow each other; the decoder is told that the last of them was seen.
        for (let n = randomInt(random, 3); n >= 0; n--) encoder.setMaxTableBytes(randomInt(random, announced + 1))
        if (randomInt(random, 4) === 0) {
          encoder.setMaxTableBytes(announced)
          decoder.settingsAcknowledged()
        }
      }
      const fields = randomFields(random)
      const never = randomInt(random, 10) === 0
      const block =
        !never && randomInt(random, 2) === 0 ? encodeText(encoder, fields) : encodeBlock(encoder, fields, never)
      const decoded = decodeBlock(decoder, block, LIST_BYTES, into)
      expectSame([decoded.error, decoded.fields], [0, fields])
      if (never)
        expectSame(
          decoded.never,
          fields.map(([name]) => name),
        )
      bytes += block.length
      plain += fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
    }
  }
  // Literals alone are longer than what they spell.
  expect(bytes).toBeLessThan(plain)
})
