import { expect, test } from '@jest/globals'
import { prometheusText } from './exposition.ts'
import { MergedMetrics } from './merged.ts'
import { MetricStore, type SharedMetric } from './store.ts'

test('a value on a bound belongs below it, and one beyond all bounds to the last bucket', () => {
  const histogram = new MetricStore().histogram('took', {}, [1, 5, 10])
  for (const value of [0.5, 1, 1.1, 10, 11]) histogram.record(value)
  expect(histogram.counts).toEqual([2, 1, 1, 1])
  expect(histogram.sum).toBeCloseTo(23.6)
})

test('neighbours share no slot, across pages', () => {
  const store = new MetricStore()
  const histograms = Array.from({ length: 200 }, (_, i) => store.histogram('took', { i: `${i}` }, [1, 2, 3, 4, 5, 6]))
  histograms.forEach((histogram, i) => {
    for (let n = 0; n <= i % 7; n++) histogram.record(n + 0.5)
  })
  for (const [i, { counts }] of histograms.entries()) {
    expect(counts).toEqual(Array.from({ length: 7 }, (_, bucket) => (bucket <= i % 7 ? 1 : 0)))
  }
  expect(store.histogram('took', { i: '7' }, [1, 2, 3, 4, 5, 6])).toBe(histograms[7])
})

test('threads count as one, also one that has ended', () => {
  const own = new MetricStore()
  const merged = new MergedMetrics(own)
  const shared: SharedMetric[][] = [[], []]
  const threads = shared.map((list) => new MetricStore((metric) => list.push(metric)))
  own.histogram('took', {}, [1]).record(0.5)
  for (const store of threads) store.histogram('took', {}, [1]).record(2)
  shared.forEach((list, thread) => {
    for (const metric of list) merged.add(thread, metric)
  })
  merged.drop(1)
  expect(merged.histograms()).toEqual([{ name: 'took', labels: {}, bounds: [1], counts: [1, 2], sum: 4.5 }])
  expect(merged.all()).toEqual([])
})

test('answers by the class of their status are one family, where names have a dot', async () => {
  const store = new MetricStore()
  store.counter('http.rq_2xx', { prefix: 'a' }).inc()
  store.counter('http.rq_5xx', { prefix: 'a' })
  store.counter('own_2xx')
  expect(await prometheusText(store, { namePrefix: 'envoy_', labelPrefix: 'envoy_', keepsPlainNames: true })).toBe(
    [
      '# HELP envoy_http_rq_xx http.rq_xx',
      '# TYPE envoy_http_rq_xx counter',
      'envoy_http_rq_xx{envoy_response_code_class="2",envoy_prefix="a"} 1',
      'envoy_http_rq_xx{envoy_response_code_class="5",envoy_prefix="a"} 0',
      '',
      '# HELP own_2xx own_2xx',
      '# TYPE own_2xx counter',
      'own_2xx 0',
      '',
    ].join('\n'),
  )
})

test('buckets are cumulative in the text format', async () => {
  const store = new MetricStore()
  const histogram = store.histogram('http.took', { prefix: 'a' }, [0.5, 10])
  for (const value of [0.1, 3, 4, 99]) histogram.record(value)
  expect(await prometheusText(store, { namePrefix: 'envoy_', labelPrefix: 'envoy_' })).toBe(
    [
      '# HELP envoy_http_took http.took',
      '# TYPE envoy_http_took histogram',
      'envoy_http_took_bucket{le="0.5",envoy_prefix="a"} 1',
      'envoy_http_took_bucket{le="10",envoy_prefix="a"} 3',
      'envoy_http_took_bucket{le="+Inf",envoy_prefix="a"} 4',
      'envoy_http_took_sum{envoy_prefix="a"} 106.1',
      'envoy_http_took_count{envoy_prefix="a"} 4',
      '',
    ].join('\n'),
  )
})
