import { expect, test } from '@jest/globals'
import { Message } from './message.ts'

const own = [Buffer.from('ab'), Buffer.from('c')]

test('few bytes are put behind the rest, many are a piece of their own and are not copied', () => {
  const small = new Message(own, Buffer.from('de'))
  expect(small.head).toEqual(Buffer.from('\0\0\0\0\x05abcde'))
  expect(small.shared).toBeUndefined()
  const table = Buffer.alloc(70_000, 't')
  const large = new Message(own, table)
  expect(large.head).toEqual(Buffer.from([0, 0, 1, 0x11, 0x73, ...Buffer.from('abc')]))
  expect(large.shared).toBe(table)
})

test('in one piece it has no prefix', () => {
  const table = Buffer.alloc(70_000, 't')
  expect(new Message(own, Buffer.from('de')).bytes().toString()).toBe('abcde')
  expect(new Message(own, table).bytes().equals(Buffer.concat([...own, table]))).toBe(true)
  expect(new Message(own, table).length).toBe(70_003)
})
