import { expect, test } from '@jest/globals'
import { MergedMetrics } from './merged.ts'
import { MetricStore, type SharedMetric } from './store.ts'

test('slots that are released serve again, from zero, and only those of the same size', () => {
  const store = new MetricStore()
  const pages = new Set<SharedArrayBuffer>()
  for (let i = 0; i < 10_000; i++) {
    const counter = store.counter('a', { i: `${i}` })
    const histogram = store.histogram('h', { i: `${i}` }, [1, 2])
    expect([counter.value, histogram.counts, histogram.sum]).toEqual([0, [0, 0, 0], 0])
    counter.inc()
    histogram.record(1.5)
    pages.add(counter.shared.page).add(histogram.shared.page)
    store.release(counter)
    store.release(histogram)
  }
  expect(pages.size).toBe(1)
  expect(store.all()).toEqual([])
  expect(store.histograms()).toEqual([])
})

test('a metric that was made anew is not released by its forerunner', () => {
  const store = new MetricStore()
  const before = store.counter('a')
  store.release(before)
  const after = store.counter('a')
  store.release(before)
  expect(store.all()).toEqual([after])
})

test('a slot of a thread serves again only when the other thread has forgotten it; what it counted stays while others count', () => {
  const merged = new MergedMetrics(new MetricStore())
  const waiting: SharedMetric[] = []
  const threads = [0, 1].map(
    (thread) =>
      new MetricStore(
        (metric) => merged.add(thread, metric),
        (metric) => waiting.push(metric),
      ),
  ) as [MetricStore, MetricStore]
  const counters = threads.map((store) => store.counter('a')) as ReturnType<MetricStore['counter']>[]
  const histograms = threads.map((store) => store.histogram('h', {}, [1])) as ReturnType<MetricStore['histogram']>[]
  counters.forEach((counter, i) => {
    counter.add(i + 1)
  })
  for (const histogram of histograms) histogram.record(0.5)
  threads[0].release(counters[0]!)
  threads[0].release(histograms[0]!)
  expect(threads[0].counter('b').shared.index).not.toBe(counters[0]?.shared.index)
  for (const metric of waiting) {
    merged.forget(0, metric)
    threads[0].free(metric)
  }
  const reused = threads[0].counter('c')
  expect(reused.shared.index).toBe(counters[0]?.shared.index)
  reused.add(100)
  expect(merged.all().find(({ name }) => name === 'a')?.value).toBe(3)
  expect(merged.histograms()[0]?.counts).toEqual([2, 0])
  threads[1].release(counters[1]!)
  threads[1].release(histograms[1]!)
  for (const metric of waiting.slice(2)) merged.forget(1, metric)
  expect(merged.all().map(({ name, value }) => [name, value])).toEqual([
    ['b', 0],
    ['c', 100],
  ])
  expect(merged.histograms()).toEqual([])
})
