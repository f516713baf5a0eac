import { expect, test } from '@jest/globals'
import { parseArguments } from './arguments.ts'

const known = ['h1', 'h2']

test('cases and flags come in any order', () => {
  expect(parseArguments([], known)).toEqual({ cases: [], writes: false, date: undefined })
  expect(parseArguments(['h2', '--write', '--date', '2026-11-26', 'h1'], known)).toEqual({
    cases: ['h2', 'h1'],
    writes: true,
    date: '2026-11-26',
  })
})

test('what is unknown is refused', () => {
  expect(() => parseArguments(['h3'], known)).toThrow('no case h3: h1, h2')
  expect(() => parseArguments(['--wirte'], known)).toThrow('--wirte')
  expect(() => parseArguments(['--date'], known)).toThrow('YYYY-MM-DD')
  expect(() => parseArguments(['--date', 'today'], known)).toThrow('YYYY-MM-DD')
})
