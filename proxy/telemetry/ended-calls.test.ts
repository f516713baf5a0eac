import { expect, test } from '@jest/globals'
import type { OutBuffer, TurnEnd } from '../stream/out-buffer.ts'
import { recordedCall } from './access-log/testing.ts'
import type { CallRecord } from './call-record.ts'
import { EndedCalls } from './ended-calls.ts'
import { CallObservers } from './observers.ts'

/** Ended calls whose turns end when a test says so, and observers that note whom they are told of. */
function setUp() {
  const waiters: TurnEnd[] = []
  const out = { atTurnEnd: (waiter: TurnEnd) => void waiters.push(waiter) }
  const ended = new EndedCalls(out as unknown as OutBuffer)
  const told: string[] = []
  const bugs: unknown[] = []
  const observersOf = (name: string, broken = '') => {
    const note = (who: string) => (record: CallRecord) => {
      if (record.endingDetail === broken) throw new Error(broken)
      told.push(`${name} ${who} ${record.endingDetail}`)
    }
    return new CallObservers([{ onEnd: note('first') }, { onEnd: note('second') }], (thrown) => void bugs.push(thrown))
  }
  const end = (observers: CallObservers, name: string) => {
    const record = recordedCall({})
    record.observers = observers
    record.endingDetail = name
    ended.add(record)
    return record
  }
  const endTurn = () => {
    for (const waiter of waiters.splice(0)) waiter.onTurnEnd()
  }
  return { ended, told, bugs, observersOf, end, endTurn, waiters }
}

test('observers are told when the turn ends, each of all calls that it observes', () => {
  const { told, observersOf, end, endTurn, waiters } = setUp()
  const [a, b] = [observersOf('a'), observersOf('b')]
  const record = end(a, '1')
  end(a, '2')
  end(b, '3')
  expect(told).toEqual([])
  expect(record.isUntold).toBe(true)
  expect(waiters).toHaveLength(1)
  endTurn()
  expect(told).toEqual(['a first 1', 'a first 2', 'a second 1', 'a second 2', 'b first 3', 'b second 3'])
  expect(record.isUntold).toBe(false)
  end(a, '4')
  endTurn()
  expect(told.slice(6)).toEqual(['a first 4', 'a second 4'])
})

test('what is about to be used again is told of at once, and once', () => {
  const { ended, told, observersOf, end, endTurn } = setUp()
  end(observersOf('a'), '1')
  ended.tell()
  expect(told).toEqual(['a first 1', 'a second 1'])
  endTurn()
  ended.tell()
  expect(told).toHaveLength(2)
})

test('many are not held until the turn ends', () => {
  const { told, observersOf, end } = setUp()
  const observers = observersOf('a')
  for (let i = 0; i < 63; i++) end(observers, `${i}`)
  expect(told).toEqual([])
  end(observers, '63')
  expect(told).toHaveLength(128)
})

test('an observer that throws for one call is told of the next', () => {
  const { told, bugs, observersOf, end, endTurn } = setUp()
  const observers = observersOf('a', 'broken')
  end(observers, 'broken')
  end(observers, 'whole')
  endTurn()
  expect(told).toEqual(['a first whole', 'a second whole'])
  expect(bugs).toEqual([new Error('broken'), new Error('broken')])
})
