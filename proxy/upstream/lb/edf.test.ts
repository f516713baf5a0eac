import { expect, test } from '@jest/globals'
import { randomInt, seededRandom } from '../../../lib/random.ts'
import type { Host } from '../host.ts'
import { EdfScheduler, schedulerOf } from './edf.ts'
import { hostsOf } from './testing/hosts.ts'

const weightOf = (host: Host) => host.plan.weight

test('hosts of the weights 1, 2 and 3 come in the order of their deadlines, ties as they came', () => {
  const hosts = hostsOf([1, 2, 3])
  const scheduler = new EdfScheduler(hosts, weightOf)
  const order = Array.from({ length: 6 }, () => hosts.indexOf(scheduler.next(weightOf)))
  // Deadlines 1/3, 1/2, 2/3, then all three at 1.
  expect(order).toEqual([2, 1, 2, 0, 1, 2])
})

test('picks taken in advance lead where taking them one by one does', () => {
  const random = seededRandom(99)
  for (let round = 0; round < 200; round++) {
    // No two deadlines are the same.
    const hosts = hostsOf(Array.from({ length: 2 + randomInt(random, 8) }, () => 1 + random.next() * 20))
    const picks = randomInt(random, 300)
    const one = new EdfScheduler(hosts, weightOf)
    for (let i = 0; i < picks; i++) one.next(weightOf)
    const other = new EdfScheduler(hosts, weightOf, picks)
    for (let i = 0; i < 50; i++) expect(other.next(weightOf)).toBe(one.next(weightOf))
  }
})

test('a great many picks cost no more than a few', () => {
  const hosts = hostsOf([1, 2, 5])
  const scheduler = new EdfScheduler(hosts, weightOf, 2 ** 32 - 1)
  const counts = [0, 0, 0]
  for (let i = 0; i < 80; i++) counts[hosts.indexOf(scheduler.next(weightOf))]!++
  expect(counts).toEqual([10, 20, 50])
})

test('there is none where taking turns is as good', () => {
  expect(schedulerOf(hostsOf([3, 3, 3]), weightOf, false, 1)).toBeUndefined()
  expect(schedulerOf(hostsOf([3]), weightOf, true, 1)).toBeUndefined()
  expect(schedulerOf(hostsOf([3, 3]), weightOf, true, 1)).toBeDefined()
  expect(schedulerOf(hostsOf([3, 4]), weightOf, false, 1)).toBeDefined()
})
