import { expect, test } from '@jest/globals'
import { LentMemory, sliceOf, viewOfLent } from './lent-memory.ts'

test('parts are the first bytes; short ones are made once, and there is a view of what is lent now', () => {
  const memory = new LentMemory()
  memory.bytes.write('hello')
  const part = memory.part(5)
  expect(String(part)).toBe('hello')
  expect(memory.part(5)).toBe(part)
  expect(viewOfLent(part)?.getUint8(1)).toBe(0x65)
  for (const length of [6, 2048, 64 * 1024]) {
    const other = memory.part(length)
    expect(other).toHaveLength(length)
    expect(viewOfLent(other)).toBe(memory.view)
    expect(viewOfLent(part)).toBeUndefined()
  }
  const small = new LentMemory(16)
  expect(small.part(16)).toHaveLength(16)
  expect(viewOfLent(small.part(5))).toBe(small.view)
})

test('slices of what is lent now are made once; of other bytes they are always new', () => {
  const memory = new LentMemory()
  const part = memory.part(600)
  part.fill('abc')
  const slice = sliceOf(part, 3, 9)
  expect(String(slice)).toBe('abcabc')
  expect(sliceOf(part, 3, 9)).toBe(slice)
  // The same place, and all lengths and starts there.
  for (let from = 0; from < 300; from++) {
    for (const to of [from + 1, from + 6, 300 + from]) {
      const found = sliceOf(part, from, to)
      expect([found.byteOffset - memory.bytes.byteOffset, found.length]).toEqual([from, to - from])
    }
  }
  expect(sliceOf(part, 0, 600)).toBe(part)
  const other = new LentMemory().part(600)
  expect(sliceOf(part, 3, 9)).not.toBe(slice)
  expect(sliceOf(part, 3, 9)).toEqual(slice)
  expect(sliceOf(other, 3, 9).buffer).toBe(other.buffer)
  const own = Buffer.from('hello')
  expect(sliceOf(own, 1, 3)).toEqual(Buffer.from('el'))
  const long = memory.part(4096)
  expect(sliceOf(long, 3000, 4096)).toBe(sliceOf(long, 3000, 4096))
})
