import { expect, test } from '@jest/globals'
import { durations } from '../../../lib/metrics/durations.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { statsPage } from './stats.ts'

const store = new MetricStore()
store.counter('cluster.upstream_rq_total', { cluster_name: 'a' }).add(2)
store.counter('cluster.upstream_rq_total', { cluster_name: 'b' })
store.gauge('server.live').set(1)
const time = durations(store, 'cluster.upstream_rq_time', { cluster_name: 'a' })
durations(store, 'cluster.upstream_rq_time', { cluster_name: 'b' })
for (const ms of [3, 4, 7, 8]) time.record(ms)

const page = (query: string) => statsPage(store, new URLSearchParams(query))

test('counters and gauges come first, then quantiles of histograms that have values', () => {
  expect(page('').body.split('\n')).toEqual([
    'cluster.a.upstream_rq_total: 2',
    'cluster.b.upstream_rq_total: 0',
    'server.live: 1',
    'cluster.a.upstream_rq_time: P0(nan,1) P25(nan,3) P50(nan,5) P75(nan,7.5) P90(nan,9) P95(nan,9.5) P99(nan,9.9) ' +
      'P99.5(nan,9.95) P99.9(nan,9.99) P100(nan,10)',
    '',
  ])
})

test.each([
  ['filter=^server', ['server.live']],
  ['filter=rq_total$&usedonly', ['cluster.a.upstream_rq_total']],
  ['filter=b..pstream', ['cluster.b.upstream_rq_total']],
  ['filter=a.*_time', ['cluster.a.upstream_rq_time']],
])('%s selects by a pattern', (query, names) => {
  const lines = page(query).body.split('\n').slice(0, -1)
  expect(lines.map((line) => line.split(':')[0])).toEqual(names)
})

test('a pattern that is none is refused', () => {
  expect(page('filter=(')).toMatchObject({ status: 400, body: expect.stringMatching(/^Invalid re2 regex: /) })
})

test('histograms are one more entry of the JSON form, as in Envoy', () => {
  const { stats } = JSON.parse(page('format=json&filter=cluster.a').body)
  expect(stats).toHaveLength(2)
  expect(stats[0]).toEqual({ name: 'cluster.a.upstream_rq_total', value: 2 })
  const { supported_quantiles, computed_quantiles } = stats[1].histograms
  expect(supported_quantiles).toHaveLength(10)
  expect(computed_quantiles).toEqual([{ name: 'cluster.a.upstream_rq_time', values: expect.any(Array) }])
  expect(computed_quantiles[0].values[2]).toEqual({ interval: null, cumulative: 5 })
  expect(JSON.parse(page('format=json&filter=live').body)).toEqual({ stats: [{ name: 'server.live', value: 1 }] })
})
