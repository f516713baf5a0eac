import { expect, test } from '@jest/globals'
import { latin1 } from './latin1.ts'

test('is what toString makes of them', () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).subarray(16)
  for (const [from, to] of [
    [0, 240],
    [7, 7],
    [100, 139],
  ] as const) {
    expect(latin1(bytes, from, to)).toBe(bytes.toString('latin1', from, to))
  }
})
