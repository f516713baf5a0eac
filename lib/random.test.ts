import { expect, test } from '@jest/globals'
import { seededRandom } from './random.ts'

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
