import { expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { silentLogger } from '../../lib/log.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { BatchQueue } from './batch-queue.ts'

interface Sent {
  readonly batch: readonly number[]
  readonly taken: () => void
  readonly failed: (error: Error) => void
}

function queue() {
  const clock = new ManualClock()
  const metrics = new MetricStore()
  const said: string[] = []
  const log = {
    ...silentLogger,
    warning: (text: string) => void said.push(text),
    info: (text: string) => void said.push(text),
  }
  const sent: Sent[] = []
  const made = new BatchQueue<number>(
    {
      name: 'x',
      send: (batch) => new Promise((taken, failed) => sent.push({ batch, taken, failed })),
      maxWaiting: 5,
      maxBatch: 2,
      flushMs: 100,
      timeoutMs: 1000,
    },
    { key: 'h.handler.a', clock, log, metrics, objects: () => [] },
  )
  const counts = () => [metrics.counter('x_sent_total').value, metrics.counter('x_dropped_total').value]
  return { made, clock, sent, said, counts, batches: () => sent.map(({ batch }) => batch) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a full batch goes at once, another one after a while, and one at a time', async () => {
  const { made, clock, sent, batches, counts } = queue()
  made.add(1)
  expect(batches()).toEqual([])
  made.add(2)
  expect(batches()).toEqual([[1, 2]])
  for (const one of [3, 4, 5]) made.add(one)
  clock.advance(100)
  expect(batches()).toHaveLength(1)
  sent[0]?.taken()
  await turn()
  expect(batches()).toEqual([
    [1, 2],
    [3, 4],
  ])
  sent[1]?.taken()
  await turn()
  expect(batches()).toHaveLength(2)
  clock.advance(100)
  expect(batches()[2]).toEqual([5])
  sent[2]?.taken()
  await turn()
  expect(counts()).toEqual([5, 0])
})

test('what a slow peer does not take is dropped and counted; that it fails is said once, and that it is well again', async () => {
  const { made, clock, sent, said, counts, batches } = queue()
  for (let i = 0; i < 9; i++) made.add(i)
  expect(counts()).toEqual([0, 2])
  sent[0]?.failed(new Error('no'))
  await turn()
  sent[1]?.failed(new Error('no'))
  await turn()
  expect(counts()).toEqual([0, 6])
  expect(said).toEqual(['batches are not taken; they are dropped'])
  expect(batches()).toHaveLength(3)
  made.add(9)
  sent[2]?.taken()
  await turn()
  clock.advance(100)
  sent.at(-1)?.taken()
  await turn()
  expect(said).toEqual(['batches are not taken; they are dropped', 'batches are taken again'])
})

test('nobody is waited for longer than the time, and a peer that never answers gathers no more than four', async () => {
  const { made, clock, batches, counts } = queue()
  for (let i = 0; i < 6; i++) {
    made.add(i)
    made.add(i)
    clock.advance(1000)
    await turn()
  }
  expect(batches()).toHaveLength(4)
  expect(counts()).toEqual([0, 12])
})

test('when it closes it sends what waits, as long as it is taken', async () => {
  const { made, sent, counts, batches } = queue()
  for (const one of [1, 2, 3, 4, 5]) made.add(one)
  const closed = made.close()
  made.add(6)
  sent[0]?.taken()
  await turn()
  sent[1]?.failed(new Error('no'))
  await closed
  expect(batches()).toEqual([
    [1, 2],
    [3, 4],
  ])
  expect(counts()).toEqual([2, 4])
})
