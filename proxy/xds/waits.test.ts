import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { Waits } from './waits.ts'

test('a wait begins when it is first asked for, and the soonest end is known', () => {
  const clock = new ManualClock()
  const waits = new Waits(clock)
  expect(waits.isOver('secret', 'a', 1_000)).toBe(false)
  clock.advance(400)
  waits.begin()
  expect(waits.nextMs).toBe(Number.POSITIVE_INFINITY)
  expect([waits.isOver('secret', 'a', 1_000), waits.isOver('secret', 'b', 2_000)]).toEqual([false, false])
  expect(waits.nextMs).toBe(600)
  clock.advance(600)
  expect([waits.isOver('secret', 'a', 1_000), waits.isOver('route', 'a', 1_000)]).toEqual([true, false])
})

test('0 is for ever', () => {
  const clock = new ManualClock()
  const waits = new Waits(clock)
  waits.begin()
  expect(waits.isOver('secret', 'a', 0)).toBe(false)
  clock.advance(1e9)
  expect(waits.isOver('secret', 'a', 0)).toBe(false)
  expect(waits.nextMs).toBe(Number.POSITIVE_INFINITY)
})

test('what is no longer needed is waited for anew when it is again', () => {
  const clock = new ManualClock()
  const waits = new Waits(clock)
  for (const name of ['a', 'b']) waits.isOver('secret', name, 1_000)
  waits.isOver('route', 'a', 1_000)
  clock.advance(1_000)
  waits.retain('secret', new Set(['b']))
  expect(waits.isOver('secret', 'a', 1_000)).toBe(false)
  expect(waits.isOver('secret', 'b', 1_000)).toBe(true)
  expect(waits.isOver('route', 'a', 1_000)).toBe(true)
})

test('what is said not to come is not waited for, unless it is to be for ever', () => {
  const waits = new Waits(new ManualClock())
  for (const name of ['a', 'b']) waits.giveUp('secret', name)
  waits.begin()
  expect([waits.isOver('secret', 'a', 1_000), waits.isOver('secret', 'b', 0)]).toEqual([true, false])
  expect(waits.nextMs).toBe(Number.POSITIVE_INFINITY)
})
