import { expect, test } from '@jest/globals'
import { seededRandom } from './random.ts'
import { Roster } from './roster.ts'

class Guest {
  rosterIndex = -1
}

test('holds those who came and have not left', () => {
  const { next } = seededRandom(7)
  const roster = new Roster<Guest>()
  const expected = new Set<Guest>()
  const all = Array.from({ length: 50 }, () => new Guest())
  for (let i = 0; i < 5_000; i++) {
    const guest = all[Math.floor(next() * all.length)] as Guest
    if (next() < 0.5) {
      roster.add(guest)
      expected.add(guest)
    } else expect(roster.delete(guest)).toBe(expected.delete(guest))
    expect(roster.size).toBe(expected.size)
  }
  expect(new Set(roster)).toEqual(expected)
})

test('a walk meets all who were members when it began, whoever leaves during it', () => {
  const roster = new Roster<Guest>()
  const all = [new Guest(), new Guest(), new Guest()]
  for (const guest of all) roster.add(guest)
  const met: Guest[] = []
  for (const guest of roster) {
    met.push(guest)
    for (const other of all) roster.delete(other)
  }
  expect(met).toEqual(all)
  expect(roster.size).toBe(0)
})

test('one that is in another roster is not taken out of it', () => {
  const [first, second] = [new Roster<Guest>(), new Roster<Guest>()]
  const [own, foreign] = [new Guest(), new Guest()]
  first.add(own)
  second.add(foreign)
  expect(first.delete(foreign)).toBe(false)
  expect(second.delete(foreign)).toBe(true)
})
