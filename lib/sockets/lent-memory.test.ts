import { expect, test } from '@jest/globals'
import { LentMemory } from './lent-memory.ts'

test('parts are the first bytes; short ones are made once, and there is a view of those alone', () => {
  const memory = new LentMemory()
  memory.bytes.write('hello')
  const part = memory.part(5)
  expect(String(part)).toBe('hello')
  expect(memory.part(5)).toBe(part)
  expect(memory.viewOf(part)?.getUint8(1)).toBe(0x65)
  expect(memory.part(6)).toHaveLength(6)
  for (const length of [2048, 64 * 1024]) {
    const long = memory.part(length)
    expect(long).toHaveLength(length)
    expect(memory.viewOf(long)).toBeUndefined()
  }
  expect(memory.viewOf(Buffer.from('hello'))).toBeUndefined()
  expect(new LentMemory().viewOf(part)).toBeUndefined()
})
