import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { HeaderBlock } from '../stream/header-block.ts'
import type { RecordedCall } from './call-record.ts'
import { CallRecord } from './call-record.ts'
import { CallObservers } from './observers.ts'
import { Sinks } from './sinks.ts'

class CountedSink {
  closed = 0
  close(): void {
    this.closed++
  }
}

test('a sink outlives a plan that wants it again, and goes some time after nobody does', () => {
  const clock = new ManualClock()
  const sinks = new Sinks(clock)
  const made: CountedSink[] = []
  const want = (key: string) =>
    sinks.get(key, () => {
      made.push(new CountedSink())
      return made.at(-1) as CountedSink
    })
  sinks.renew(() => {
    want('a')
    want('b')
  })
  sinks.renew(() => {
    expect(want('a')).toBe(made[0])
  })
  clock.advance(59_999)
  expect(made.map(({ closed }) => closed)).toEqual([0, 0])
  clock.advance(1)
  expect(made.map(({ closed }) => closed)).toEqual([0, 1])
  sinks.close()
  expect(made.map(({ closed }) => closed)).toEqual([1, 1])
})

test('a sink that is wanted again in time stays', () => {
  const clock = new ManualClock()
  const sinks = new Sinks(clock)
  const sink = new CountedSink()
  sinks.renew(() => void sinks.get('a', () => sink))
  sinks.renew(() => {})
  clock.advance(30_000)
  sinks.renew(() => void sinks.get('a', () => new CountedSink()))
  clock.advance(100_000)
  expect(sink.closed).toBe(0)
})

test('at the end all sinks send what they hold, and one that is slow is not waited for', async () => {
  const clock = new ManualClock()
  const sinks = new Sinks(clock)
  const asked: string[] = []
  let flushed = 0
  const sink = (name: string, flush: () => Promise<void>) =>
    sinks.get(name, () => ({
      close: () => {},
      flush: () => {
        asked.push(name)
        return flush()
      },
    }))
  sinks.get('without', () => new CountedSink())
  sink('quick', async () => {})
  const quick = sinks.flush(1000)
  await quick
  sink('silent', () => new Promise(() => {}))
  const silent = sinks.flush(1000).then(() => flushed++)
  clock.advance(999)
  await Promise.resolve()
  expect([asked, flushed]).toEqual([['quick', 'quick', 'silent'], 0])
  clock.advance(1)
  await silent
  expect(flushed).toBe(1)
})

test('what one observer throws is reported, and the others are told', () => {
  const bugs: unknown[] = []
  const ended: string[] = []
  const observers = new CallObservers(
    [
      {
        onEnd: () => {
          throw new Error('broken')
        },
      },
      { onEnd: ({ detail }) => void ended.push(detail) },
    ],
    (thrown) => bugs.push(thrown),
  )
  const record = recordOf(observers)
  record.endingDetail = 'gone'
  observers.onEnd([record], 0, 1)
  expect(ended).toEqual(['gone'])
  expect(bugs).toEqual([new Error('broken')])
})

test('of an answer only the fields are kept that somebody named', () => {
  const observers = new CallObservers([{ responseFields: ['a', 'b'] }, { responseFields: ['b', 'c'] }], () => {})
  const record = recordOf(observers)
  const fields = new HeaderBlock()
  for (const name of ['A', 'c', 'd']) fields.append(name, `of ${name}`)
  record.keepResponse(200, fields)
  fields.clear()
  expect(['a', 'b', 'c', 'd'].map((name) => record.responseField(name))).toEqual(['of A', undefined, 'of c', undefined])
  record.begin(observers, {} as never, 0, 0)
  expect(record.responseField('a')).toBeUndefined()
})

function recordOf(observers: CallObservers): CallRecord {
  const record = new CallRecord({
    head: {},
    facts: {},
    decision: { detail: '', flag: '', retryFlag: '' },
  } as RecordedCall)
  record.begin(observers, {} as never, 0, 0)
  return record
}
