import { expect, test } from '@jest/globals'
import { HeaderBlock } from './header-block.ts'
import { NumberFields } from './number-fields.ts'

test('each field says its number, however often it comes and whatever came in between', () => {
  const fields = new NumberFields('x-time')
  for (const number of [0, 0, 1, 1, 1, 257, 1, 257, 257, 15_000, 15_000, 2 ** 32 + 1, 2 ** 32 + 1, 1, 0]) {
    const head = new HeaderBlock()
    fields.appendTo(head, number)
    expect([...head.fields()]).toEqual([['x-time', String(number)]])
  }
})

test('what comes again is a line of bytes', () => {
  const fields = new NumberFields('x-time')
  const head = new HeaderBlock()
  for (let i = 0; i < 3; i++) fields.appendTo(head, 7)
  expect([0, 1, 2].map((i) => head.addedBatch(i)?.name)).toEqual([undefined, 'x-time', 'x-time'])
  expect(head.addedBatch(2)).toBe(head.addedBatch(1))
})
