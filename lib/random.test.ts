import { expect, test } from '@jest/globals'
import { putUuid, RandomWords, randomUuid, seededRandom } from './random.ts'

test('the same seed gives the same numbers', () => {
  const draw = (seed: number) => Array.from({ length: 5 }, seededRandom(seed).next)
  expect(draw(1)).toEqual(draw(1))
  expect(draw(1)).not.toEqual(draw(2))
})

test('the low bits are random too', () => {
  const { next } = seededRandom(7)
  const counts = new Array<number>(8).fill(0)
  for (let i = 0; i < 8000; i++) {
    const value = next()
    expect(value >= 0 && value < 1).toBe(true)
    counts[Math.floor(value * 2 ** 48) % 8]!++
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(4.5 * Math.sqrt(1000))
})

test('UUIDs are of version 4, and no two are the same', () => {
  const put = () => {
    const bytes = Buffer.from('        -    -    -    -            ')
    putUuid(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0)
    return bytes.toString()
  }
  const uuids = [...Array.from({ length: 10_000 }, put), ...Array.from({ length: 100 }, randomUuid)]
  for (const uuid of uuids)
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(new Set(uuids).size).toBe(uuids.length)
})

test('words have all their bits, and no two of many are the same', () => {
  const words = new RandomWords(seededRandom(5))
  const drawn = Array.from({ length: 4096 }, () => words.next())
  expect(new Set(drawn).size).toBeGreaterThan(4090)
  for (let bit = 0; bit < 32; bit++) {
    const ones = drawn.filter((word) => ((word >>> bit) & 1) === 1).length
    expect(Math.abs(ones - 2048)).toBeLessThan(200)
  }
})
