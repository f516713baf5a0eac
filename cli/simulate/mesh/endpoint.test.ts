import { expect, test } from '@jest/globals'
import { EventClock } from '../../../lib/event-clock.ts'
import { seededRandom } from '../../../lib/random.ts'
import { type Arrival, Endpoint, type EndpointModel } from './endpoint.ts'
import type { Failure } from './failure.ts'
import { constantLatency } from './latency.ts'

function endpointWith(model: Partial<EndpointModel> = {}, failures: Failure[] = []) {
  const clock = new EventClock()
  const whole: EndpointModel = {
    latency: constantLatency(10),
    concurrency: 1,
    maxQueue: 2,
    stopsWhenAbandoned: false,
    callOthers: undefined,
    ...model,
  }
  const endpoint = new Endpoint('a-0', '10.0.0.1', '', whole, failures, clock, seededRandom(1))
  const seen: string[] = []
  const request = (name: string): Arrival & { isAbandoned: boolean } => {
    const arrival = {
      isAbandoned: false,
      answer: (status: number) => seen.push(`${name} ${status} at ${clock.nowMs()}`),
      reset: (isGone: boolean) => seen.push(`${name} reset${isGone ? ' and gone' : ''} at ${clock.nowMs()}`),
    }
    endpoint.onRequest(arrival)
    return arrival
  }
  return { clock, endpoint, seen, request }
}

const always = { fromMs: 0, toMs: Number.POSITIVE_INFINITY, value: 503, rate: 1 }

test('works on so many at a time, queues some, and has no place for more', () => {
  const { clock, endpoint, seen, request } = endpointWith()
  for (const name of ['a', 'b', 'c', 'd']) request(name)
  clock.runUntil(100)
  expect(seen).toEqual(['d 503 at 0', 'a 200 at 10', 'b 200 at 20', 'c 200 at 30'])
  expect(endpoint.tally).toEqual({ arrived: 4, answered: 3, wasted: 0, queueFull: 1, maxQueued: 2 })
})

test('goes on with what was given up, unless it is told to stop', () => {
  const going = endpointWith()
  going.request('a').isAbandoned = true
  going.request('b')
  going.clock.runUntil(100)
  expect(going.seen).toEqual(['b 200 at 20'])
  expect(going.endpoint.tally.wasted).toBe(1)
  const stopping = endpointWith({ stopsWhenAbandoned: true })
  stopping.request('a')
  stopping.request('b').isAbandoned = true
  stopping.request('c')
  stopping.clock.runUntil(100)
  expect(stopping.seen).toEqual(['a 200 at 10', 'c 200 at 20'])
})

test('a long queue is worked off in order', () => {
  const { clock, seen, request } = endpointWith({ maxQueue: 2000 })
  for (let i = 0; i < 1500; i++) request(String(i))
  clock.runUntil(20_000)
  expect(seen).toHaveLength(1500)
  expect(seen.every((text, i) => text === `${i} 200 at ${(i + 1) * 10}`)).toBe(true)
})

test('asks others before it answers, and holds its place meanwhile', () => {
  const { clock, seen, request } = endpointWith({
    callOthers: (_endpoint, done) => void clock.setTimer(5, () => done(502)),
  })
  request('a')
  request('b')
  clock.runUntil(100)
  expect(seen).toEqual(['a 502 at 15', 'b 502 at 30'])
})

test('fails as the scenario says, in its time', () => {
  const of = (failure: Partial<Failure>) => endpointWith({}, [{ ...always, kind: 'status', ...failure }])
  const status = of({ value: 429, toMs: 50 })
  status.request('a')
  status.clock.runUntil(50)
  status.request('b')
  status.clock.runUntil(100)
  expect(status.seen).toEqual(['a 429 at 0', 'b 200 at 60'])
  expect(status.endpoint.onConnect()).toBe('accept')

  const refuse = of({ kind: 'refuse' })
  refuse.request('a')
  expect([refuse.endpoint.onConnect(), refuse.seen]).toEqual(['refuse', ['a reset and gone at 0']])

  const reset = of({ kind: 'reset' })
  reset.request('a')
  expect([reset.endpoint.onConnect(), reset.seen]).toEqual(['accept', ['a reset at 0']])

  const hole = of({ kind: 'blackhole' })
  hole.request('a')
  hole.clock.runUntil(1000)
  expect([hole.endpoint.onConnect(), hole.seen]).toEqual(['blackhole', []])

  const slow = of({ kind: 'slow', value: 7 })
  slow.request('a')
  slow.clock.runUntil(1000)
  expect(slow.seen).toEqual(['a 200 at 70'])
})

test('a rate meets a part of the requests', () => {
  const { clock, seen, request } = endpointWith({ concurrency: 10_000 }, [{ ...always, kind: 'status', rate: 0.25 }])
  for (let i = 0; i < 4000; i++) request('a')
  clock.runUntil(100)
  const failed = seen.filter((text) => text.includes('503')).length
  expect(failed).toBeGreaterThan(900)
  expect(failed).toBeLessThan(1100)
})
