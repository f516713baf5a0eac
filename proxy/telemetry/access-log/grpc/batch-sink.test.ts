import { expect, test } from '@jest/globals'
import { ManualClock } from '../../../../lib/clock.ts'
import { silentLogger } from '../../../../lib/log.ts'
import { MetricStore } from '../../../../lib/metrics/store.ts'
import { TimerWheel } from '../../../../lib/timer-wheel.ts'
import { BugReporter } from '../../../stream/bugs.ts'
import type { StreamContext } from '../../../stream/context.ts'
import { BatchSink } from './batch-sink.ts'

const SERVICE = { cluster: 'away', authority: 'away', metadata: [], timeoutMs: 1000 }

/** A sink whose server is never there. */
function sinkOf(maxBytes: number) {
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const bugs = new BugReporter(metrics, silentLogger)
  let tries = 0
  const cluster = () => void tries++
  const context = { clock, metrics, bugs, wheel: new TimerWheel(clock), cluster }
  const plan = {
    service: SERVICE as never,
    path: '/a.B/C',
    isStream: false,
    maxBytes,
    flushMs: 1000,
    within: [{ preface: Buffer.alloc(0), field: 1 }],
    written: 'written',
    dropped: 'dropped',
  }
  const sink = new BatchSink(plan, context as unknown as StreamContext)
  const log = (bytes: number) => {
    sink.out.bytes(1, Buffer.alloc(bytes))
    sink.noteEntry()
  }
  return { clock, sink, log, tries: () => tries, dropped: () => metrics.counter('dropped').value }
}

test('batches wait up to a number', () => {
  const { log, dropped, sink } = sinkOf(1)
  for (let i = 0; i < 64; i++) log(10)
  expect(dropped()).toBe(0)
  for (let i = 0; i < 3; i++) log(10)
  expect(dropped()).toBe(3)
  sink.close()
  expect(dropped()).toBe(67)
  log(10)
  expect(dropped()).toBe(68)
})

test('and up to a sum of bytes, however large a batch may be', () => {
  const { log, dropped } = sinkOf(4_294_967_295)
  // Each is a batch: no more than a mebibyte waits for others.
  for (let i = 0; i < 3; i++) log(1024 * 1024)
  expect(dropped()).toBe(0)
  for (let i = 0; i < 10; i++) log(1024 * 1024)
  expect(dropped()).toBe(10)
})

test('at the end a server that is away is tried once more, and not waited for', async () => {
  const { log, sink, dropped, tries } = sinkOf(10_000)
  await sink.flush()
  expect(tries()).toBe(0)
  log(10)
  await sink.flush()
  expect(tries()).toBe(1)
  await sink.flush()
  expect([tries(), dropped()]).toEqual([2, 0])
  sink.close()
  expect(dropped()).toBe(1)
})

test('the server is tried again after a while, and once for all that wait', () => {
  const { log, clock, dropped } = sinkOf(1)
  log(10)
  clock.advance(60_000)
  log(10)
  expect(dropped()).toBe(0)
})
