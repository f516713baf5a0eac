import { expect, test } from '@jest/globals'
import { viewOf } from '../../../lib/words.ts'
import { EncoderTable } from './encoder-table.ts'

const view = viewOf(Buffer.from('name'))

test('of five entries whose hashes fall together the oldest is not found any more', () => {
  const table = new EncoderTable(4096, 4096)
  const hashes = [0, 1, 2, 3, 4].map((i) => i * 4096)
  for (const hash of hashes) table.add(view, 0, 4, 0, 0, false, hash)
  expect(hashes.map((hash) => table.find(view, 0, 4, 0, 0, false, hash))).toEqual([-1, 3, 2, 1, 0])
  table.add(view, 0, 4, 0, 0, false, 5 * 4096)
  expect(hashes.map((hash) => table.find(view, 0, 4, 0, 0, false, hash))).toEqual([-1, -1, 3, 2, 1])
})

test('every slot is found again, also when it was another entry before', () => {
  // Four entries of 32 bytes, all in one set.
  const table = new EncoderTable(128, 128)
  for (let i = 0; i < 20; i++) {
    table.add(view, 0, 0, 0, 0, false, 4 * i)
    for (let age = 0; age < 6; age++) {
      if (age > i) continue
      expect([i, age, table.find(view, 0, 0, 0, 0, false, 4 * (i - age))]).toEqual([i, age, age < 4 ? age : -1])
    }
  }
})

test('guesses the entry that followed before, from the start of a block', () => {
  const table = new EncoderTable(4096, 4096)
  const guess = (nameLength: number, lowerCase = false) => table.guess(view, 0, nameLength, 0, 0, lowerCase)
  table.begin()
  for (const length of [1, 2, 3]) table.add(view, 0, length, 0, 0, false, length)
  table.begin()
  expect([guess(1), guess(2), guess(3), guess(3)]).toEqual([2, 1, 0, -1])
  table.begin()
  // One that is left out: it is looked for, and what follows it is guessed again.
  expect([guess(2), table.find(view, 0, 2, 0, 0, false, 2), guess(3)]).toEqual([-1, 1, 0])
  table.begin()
  expect([guess(2), guess(3)]).toEqual([1, 0])
  table.resize(0)
  table.begin()
  expect(guess(2)).toBe(-1)
})
