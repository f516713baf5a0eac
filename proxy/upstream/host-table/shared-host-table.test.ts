import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { HEALTH_FLAG } from '../health.ts'
import { OutlierFixture } from '../outlier/testing.ts'
import { FIELD } from './host-record.ts'
import { clearHostThread, MAX_SHARED_HOSTS, SharedHostTable, sharedHostMemory } from './shared-host-table.ts'

/** Several tables on the same memory, as the threads of a process have them. */

function tables(threads: number) {
  const memory = sharedHostMemory(threads)
  const clocks = Array.from({ length: threads }, () => new ManualClock(1_000_000))
  return { memory, clocks, all: clocks.map((clock, thread) => new SharedHostTable(memory, thread, clock)) }
}

test('what one thread finds out all know, and requests are summed', () => {
  const { all } = tables(3)
  const records = all.map((table) => table.claim('c', '10.0.0.1:80', 0))
  records[0]?.increment(FIELD.consecutive5xx)
  records[2]?.increment(FIELD.consecutive5xx)
  records[1]?.setFlag(HEALTH_FLAG.failedOutlierCheck, true)
  records[0]?.active?.add(1)
  records[1]?.active?.add(1)
  records[1]?.active?.add(1)
  for (const record of records) {
    expect(record.get(FIELD.consecutive5xx)).toBe(2)
    expect(record.hasFlag(HEALTH_FLAG.failedOutlierCheck)).toBe(true)
    expect(record.active?.total).toBe(3)
  }
})

test('hosts of different clusters are different', () => {
  const { all } = tables(1)
  all[0]?.claim('a', 'h', HEALTH_FLAG.failedActiveCheck)
  expect(all[0]?.claim('b', 'h', 0).get(FIELD.flags)).toBe(0)
  expect(all[0]?.claim('a', 'h', 0).get(FIELD.flags)).toBe(HEALTH_FLAG.failedActiveCheck)
})

test('a place is given back when no thread has the host, and then nothing of it is known', () => {
  const [one, two] = tables(2).all as [SharedHostTable, SharedHostTable]
  const [first, second] = [one.claim('c', 'h', 0), two.claim('c', 'h', 0)]
  first.active?.add(1)
  second.increment(FIELD.consecutive5xx)
  one.release(first)
  expect(two.size).toBe(1)
  expect(second.active?.total).toBe(0)
  expect(one.claim('c', 'h', 0).get(FIELD.consecutive5xx)).toBe(1)
  one.release(first)
  two.release(second)
  expect(one.size).toBe(0)
  expect(one.claim('c', 'h', 0).get(FIELD.consecutive5xx)).toBe(0)
})

test('ten thousand hosts that come and go do not fill it', () => {
  const [one, two] = tables(2).all as [SharedHostTable, SharedHostTable]
  let held: (() => void)[] = []
  let unplaced = 0
  for (let round = 0; round < 100; round++) {
    const before = held
    held = []
    for (let i = 0; i < 100; i++) {
      const records = [one, two].map((table) => [table, table.claim('c', `${round}:${i}`, 0)] as const)
      for (const [table, record] of records) {
        if (record.slot < 0) unplaced++
        held.push(() => table.release(record))
      }
    }
    for (const release of before) release()
  }
  expect([unplaced, one.size]).toEqual([0, 100])
  for (const release of held) release()
  expect(two.size).toBe(0)
})

test('of hosts that do not fit each thread finds out for itself', () => {
  const [one, two] = tables(2).all as [SharedHostTable, SharedHostTable]
  let unplaced = 0
  for (let i = 0; i < MAX_SHARED_HOSTS; i++) if (one.claim('c', `h${i}`, 0).slot < 0) unplaced++
  expect(unplaced).toBe(0)
  const [mine, other] = [one.claim('c', 'more', 2), two.claim('c', 'more', 2)]
  mine.increment(FIELD.consecutive5xx)
  expect([mine.slot, mine.get(FIELD.flags), mine.active]).toEqual([-1, 2, undefined])
  expect(other.get(FIELD.consecutive5xx)).toBe(0)
  expect(two.claim('c', 'h0', 0).slot).toBeGreaterThanOrEqual(0)
})

test('one thread leads; when it is not heard of, or has ended, another does', () => {
  const { memory, clocks, all } = tables(3)
  const lead = () => {
    for (const table of all.slice(1)) table.renewLead()
    return all.map((table) => table.isLeader)
  }
  all[0]?.renewLead()
  expect(lead()).toEqual([true, false, false])
  for (const clock of clocks) clock.advance(900)
  expect(lead()).toEqual([true, false, false])
  for (const clock of clocks) clock.advance(101)
  expect(lead()).toEqual([false, true, false])
  clearHostThread(memory, 1)
  all[2]?.renewLead()
  expect(all.map((table) => table.isLeader)).toEqual([false, false, true])
})

test('what a thread that has ended held is given back', () => {
  const { memory, all } = tables(2)
  const [one, two] = all as [SharedHostTable, SharedHostTable]
  const shared = one.claim('c', 'both', 0)
  one.claim('c', 'one', 0)
  const other = two.claim('c', 'both', 0)
  shared.active?.add(1)
  // It ended while nobody else could get in.
  new Int32Array(memory.words)[0] = 1
  clearHostThread(memory, 0)
  expect(two.size).toBe(1)
  expect(other.active?.total).toBe(0)
  expect(two.locked(() => {})).toBe(true)
})

test('who cannot get the lock does not wait for ever', () => {
  const { memory, all } = tables(2)
  new Int32Array(memory.words)[0] = 2
  let ran = false
  expect(
    all[0]?.locked(() => {
      ran = true
    }),
  ).toBe(false)
  expect(ran).toBe(false)
})

test('failures that different threads see are one row of failures, and one sweep is enough', () => {
  const memory = sharedHostMemory(2)
  const clock = new ManualClock()
  const [one, two] = [0, 1].map((thread) => {
    const table = new SharedHostTable(memory, thread, clock)
    return new OutlierFixture(5, { maxEjectionPercent: 20 }, { table })
  }) as [OutlierFixture, OutlierFixture]
  one.answer(0, 500, 3)
  two.answer(0, 500, 2)
  expect(two.ejected).toEqual([0])
  expect(one.host(0).record?.hasFlag(HEALTH_FLAG.failedOutlierCheck)).toBe(true)
  // Together they do not eject more than may be.
  one.answer(1, 500, 5)
  expect(one.ejected).toEqual([])
  expect(one.stats).toMatchObject({ ejections_overflow: 1 })
  clock.advance(30_000)
  one.detector.sweep()
  expect(one.host(0).record?.hasFlag(HEALTH_FLAG.failedOutlierCheck)).toBe(false)
})
