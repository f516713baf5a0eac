import { expect, test } from '@jest/globals'
import { interleave } from './rounds.ts'

const items = [{ label: 'a' }, { label: 'b' }]

/** Rounds of a and b in which each measurement gives its number. After each of them the cores are as far as told, then as after the last one. */
async function run(wanted: number, distances: readonly number[]) {
  const order: string[] = []
  const rounds = await interleave(
    items,
    async ({ label }) => `${label}${order.push(label)}`,
    wanted,
    async () => distances[Math.min(order.length, distances.length) - 1] as number,
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

test('what was measured while the cores came apart, were apart or came together is measured again', async () => {
  const { rounds, order } = await run(2, [60, 60, 60, 300, 300, 60, 110])
  expect(order).toBe('abbaaaaab')
  expect(rounds.samples.get('a')).toEqual(['a7', 'a8'])
  expect(rounds.samples.get('b')).toEqual(['b3', 'b9'])
  expect(rounds.apart.get('a')).toEqual(['a4', 'a5', 'a6'])
  expect(rounds.apart.get('b')).toEqual([])
  expect(rounds.apartCount).toBe(3)
  expect(rounds.distanceNs).toEqual({ median: 110, low: 60, high: 300 })
})

test('where the cores stay apart it is measured again twice for each, and then it counts', async () => {
  const { rounds } = await run(2, [60, 60, 300])
  expect(rounds.apartCount).toBe(8)
  expect(rounds.apart.get('b')).toHaveLength(8)
  expect(rounds.samples.get('a')).toHaveLength(2)
  expect(rounds.samples.get('b')).toHaveLength(2)
})
