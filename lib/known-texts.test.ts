import { expect, test } from '@jest/globals'
import { KnownTexts } from './known-texts.ts'
import { randomInt, seededRandom, systemRandom } from './random.ts'

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))

test(`says what the bytes say, whatever came before (seed ${seed})`, () => {
  const random = seededRandom(seed)
  const texts = new KnownTexts()
  const bytes = Buffer.alloc(200)
  for (let i = 0; i < 30_000; i++) {
    const length = randomInt(random, 8) === 0 ? 60 + randomInt(random, 20) : randomInt(random, 12)
    const from = randomInt(random, 100)
    // Few letters, so that many are the same, and many but for one.
    for (let at = from; at < from + length; at++) bytes[at] = [47, 97, 98, 233][randomInt(random, 4)] as number
    expect(texts.text(bytes, from, from + length)).toBe(bytes.toString('latin1', from, from + length))
  }
})

test('texts that share a place take it from each other', () => {
  const texts = new KnownTexts()
  const paths = Array.from({ length: 5_000 }, (_, i) => `/orders/${i}`)
  for (let round = 0; round < 3; round++) {
    for (const path of paths) expect(texts.text(Buffer.from(path), 0, path.length)).toBe(path)
  }
})

test('makes a text once', () => {
  const texts = new KnownTexts()
  const bytes = Buffer.from('/productpage /productpage')
  let made = 0
  const { latin1Slice } = bytes as unknown as { latin1Slice(from: number, to: number): string }
  Object.assign(bytes, {
    latin1Slice: (from: number, to: number) => {
      made++
      return latin1Slice.call(bytes, from, to)
    },
  })
  for (const at of [0, 13, 0]) expect(texts.text(bytes, at, at + 12)).toBe('/productpage')
  expect(made).toBe(1)
  const long = Buffer.alloc(65, 'a')
  expect(texts.text(long, 0, 65)).toBe('a'.repeat(65))
})
