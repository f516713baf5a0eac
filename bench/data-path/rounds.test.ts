import { expect, test } from '@jest/globals'
import { interleave } from './rounds.ts'

const items = [{ label: 'a' }, { label: 'b' }]

/** Runs rounds of a and b in which each measurement gives its number, the cores being as far as told, again and again from the last one. */
async function run(wanted: number, distances: readonly number[]) {
  const order: string[] = []
  let readings = 0
  const rounds = await interleave(
    items,
    async ({ label }) => `${label}${order.push(label)}`,
    wanted,
    async () => distances[Math.min(readings++, distances.length - 1)] as number,
  )
  return { rounds, order: order.join('') }
}

test('every item is measured once a round, every other round backwards, and the first one only warms up', async () => {
  const { rounds, order } = await run(3, [60])
  expect(order).toBe('abbaabba')
  expect(rounds.samples.get('a')).toEqual(['a4', 'a5', 'a8'])
  expect(rounds.samples.get('b')).toEqual(['b3', 'b6', 'b7'])
  expect(rounds.apartCount).toBe(0)
})

test('a round in which the cores were apart at any time is left out, and another takes its place', async () => {
  const warm = [60, 60, 60]
  const { rounds } = await run(2, [...warm, 60, 60, 60, 60, 300, 60, 110])
  expect(rounds.samples.get('a')).toEqual(['a4', 'a8'])
  expect(rounds.apart.get('a')).toEqual(['a5'])
  expect(rounds.apartCount).toBe(1)
  expect(rounds.distanceNs).toEqual({ median: 60, low: 60, high: 300 })
})

test('what seemed near is apart once the cores have been nearer', async () => {
  const { rounds } = await run(2, [0, 0, 0, 300, 300, 300, 300, 300, 300, 60])
  // Two of 300 would have been enough.
  expect(rounds.samples.get('a')).toHaveLength(2)
  expect(rounds.apartCount).toBe(0)
  const later = await run(3, [0, 0, 0, 300, 300, 300, 300, 300, 300, 60])
  expect(later.rounds.samples.get('a')).toEqual(['a8', 'a9', 'a12'])
  expect(later.rounds.apartCount).toBe(2)
})

test('where the cores are hardly ever near all rounds count', async () => {
  const apart = [300, 300, 60]
  const { rounds } = await run(3, [0, 0, 0, ...apart, ...apart, ...apart, ...apart, ...apart, 60])
  expect(rounds.samples.get('a')).toHaveLength(6)
  expect(rounds.apartCount).toBe(0)
})
