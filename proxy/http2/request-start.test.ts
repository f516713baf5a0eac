import { expect, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../lib/random.ts'
import { decodeBlock, type Field, testSeed } from '../../test/support/hpack.ts'
import { pick } from '../../test/support/random-fields.ts'
import { ByteSink } from './hpack/byte-sink.ts'
import { HpackDecoder } from './hpack/decoder.ts'
import { HpackEncoder } from './hpack/encoder.ts'
import { RequestStart } from './request-start.ts'

test('what is written is what was asked for, whatever the table does in between', () => {
  const random = seededRandom(testSeed)
  console.log(`request starts, seed ${testSeed}`)
  for (let run = 0; run < 50; run++) {
    const [encoder, decoder, start] = [new HpackEncoder(), new HpackDecoder(4096), new RequestStart()]
    for (let i = 0; i < 100; i++) {
      if (randomInt(random, 20) === 0) encoder.setMaxTableBytes(randomInt(random, 4) * 60)
      const asked: Field[] = [
        [':method', pick(random, ['GET', 'POST'])],
        [':scheme', pick(random, ['http', 'http', ''])],
        [':authority', pick(random, ['a.example', 'a.example', 'b.example', ''])],
        [':path', pick(random, ['/', '/some/path', '/x'.repeat(100), ''])],
      ]
      const extra: Field = ['x-extra', String(randomInt(random, 5))]
      const out = new ByteSink(16)
      encoder.begin(out)
      const [method, scheme, authority, path] = asked.map(([, value]) => value) as [string, string, string, string]
      start.write(encoder, out, method, scheme, authority, path)
      if (randomInt(random, 4) === 0) encoder.text(out, ...extra)
      const { fields } = decodeBlock(decoder, Buffer.from(out.bytes.subarray(0, out.end)))
      const wanted = asked.filter(([, value]) => value !== '')
      expect(fields.slice(0, wanted.length)).toEqual(wanted)
    }
  }
})

test('the same start again is as long as it was, and no longer than by itself', () => {
  const [encoder, start] = [new HpackEncoder(), new RequestStart()]
  const lengths = Array.from({ length: 6 }, () => {
    const out = new ByteSink(16)
    encoder.begin(out)
    start.write(encoder, out, 'GET', 'http', 'a.example', '/')
    return out.end
  })
  expect(lengths.slice(2)).toEqual([4, 4, 4, 4])
})
