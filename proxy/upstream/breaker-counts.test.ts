import { expect, test } from '@jest/globals'
import { COUNT, clearThread, MAX_SHARED_CLUSTERS, SharedBreakerTable, sharedBreakerMemory } from './breaker-counts.ts'

test('threads see the sum of what all of them count', () => {
  const memory = sharedBreakerMemory(3)
  const counts = [0, 1, 2].map((thread) => new SharedBreakerTable(memory, thread).countsOf('a'))
  counts[0]?.add(COUNT.requests, 1)
  counts[1]?.add(COUNT.requests, 1)
  counts[1]?.add(COUNT.requests, 1)
  counts[2]?.add(COUNT.pending, 1)
  for (const one of counts) {
    expect(one.total(COUNT.requests)).toBe(3)
    expect(one.total(COUNT.pending)).toBe(1)
    expect(one.total(COUNT.retries)).toBe(0)
  }
  counts[1]?.add(COUNT.requests, -1)
  expect(counts[0]?.total(COUNT.requests)).toBe(2)
})

test('clusters are told apart, whoever comes first', () => {
  const memory = sharedBreakerMemory(2)
  const [one, two] = [0, 1].map((thread) => new SharedBreakerTable(memory, thread))
  for (let i = 0; i < 1000; i++) (i % 2 === 0 ? one : two)?.countsOf(`cluster-${i}`).add(COUNT.connections, 1)
  for (let i = 0; i < 1000; i++) expect(two?.countsOf(`cluster-${i}`).total(COUNT.connections)).toBe(1)
  expect(one?.countsOf('another').total(COUNT.connections)).toBe(0)
})

test('an ended thread holds nothing any more', () => {
  const memory = sharedBreakerMemory(2)
  const [one, two] = [0, 1].map((thread) => new SharedBreakerTable(memory, thread).countsOf('a'))
  one?.add(COUNT.retries, 1)
  two?.add(COUNT.retries, 1)
  clearThread(memory, 0)
  expect(two?.total(COUNT.retries)).toBe(1)
})

test('what does not fit is counted by each thread for itself', () => {
  const memory = sharedBreakerMemory(1)
  const table = new SharedBreakerTable(memory, 0)
  for (let i = 0; i < MAX_SHARED_CLUSTERS * 2 + 10; i++) table.countsOf(`cluster-${i}`).add(COUNT.requests, 1)
  const late = table.countsOf('late')
  late.add(COUNT.requests, 1)
  expect(late.total(COUNT.requests)).toBe(1)
})
