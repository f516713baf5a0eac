import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { DASHBOARDS } from '../../../dashboards/boards/all.ts'
import { JOBS } from '../../../dashboards/catalogue.ts'
import { type Sent, sentBy } from '../../../dashboards/check/expressions.ts'
import { quantileBy, rateBy, successBy } from '../../../dashboards/model/promql.ts'
import { ALERTS } from '../../../dashboards/rules/prometheus.ts'
import { RECORDING_RULES } from '../../../dashboards/rules/recording.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { PrometheusProcess } from '../../support/prometheus-process.ts'
import { type FakeCall, FakeExporter, SERVICE } from './fake-exporter.ts'

/** Every query of every dashboard and rule, asked of a real Prometheus that scrapes known values. */

const program = peerOrSkip('prometheus')
const withPrometheus = program === undefined ? test.skip : test
const rules = join(dirname(fileURLToPath(import.meta.url)), '../../../dashboards/prometheus/recording.yaml')
/** Of rates, in Prometheus' notation: ten scrapes. */
const WINDOW = '10s'
/** Rates are of scrapes that come some milliseconds early or late. */
const NEAR = 0.05

const call = (version: string, perSecond: number, ms: number, ended: Partial<FakeCall> = {}) =>
  (['source', 'destination'] as const).map((reporter) => {
    return { reporter, version, perSecond, ms, code: '200', grpcStatus: '', flags: '-', ...ended }
  })
/** Per second 90 of v1, all good; 10 of v2, of which one fails by HTTP and two by gRPC in a 200. */
const CALLS: readonly FakeCall[] = [
  ...call('v1', 90, 40),
  ...call('v2', 7, 400),
  ...call('v2', 1, 400, { code: '503', flags: 'UF,URX' }),
  ...call('v2', 2, 400, { grpcStatus: '14' }),
]
const exporter = new FakeExporter(CALLS)
let prometheus: PrometheusProcess

beforeAll(async () => {
  if (program === undefined) return
  const address = await exporter.listen()
  const labels = { pod: 'one', namespace: 'default' }
  prometheus = new PrometheusProcess(program, {
    targets: [
      { job: JOBS.proxy, address, path: '/stats/prometheus', labels },
      { job: JOBS.pilot, address, path: `/${JOBS.pilot}`, labels },
    ],
    rules: [rules],
    intervalMs: 1000,
  })
  await prometheus.start()
  await eventually(async () => {
    expect(await prometheus.instant('min(count_over_time(up[1m])) >= 12')).toHaveLength(1)
    for (const { record } of RECORDING_RULES) expect(await prometheus.instant(record)).not.toEqual([])
  }, 60_000)
}, 90_000)

afterAll(async () => {
  await prometheus?.stop()
  exporter.close()
})

const chosen = { service: SERVICE, namespace: 'default', workload: 'reviews-v1', old: 'v1', new: 'v2' }
/** A workload that only serves sends nothing. */
const caller = { ...chosen, workload: 'productpage-v1' }
const inWindow = (expression: string) => expression.replaceAll('$__rate_interval', WINDOW)

async function unanswered(sent: readonly Sent[]): Promise<string[]> {
  const empty: string[] = []
  for (const { where, expression } of sent) {
    const samples = await prometheus.instant(expression)
    if (samples.length === 0 || samples.some(({ value }) => Number.isNaN(value))) empty.push(`${where}: ${expression}`)
  }
  return empty
}

withPrometheus.each(DASHBOARDS.map((dashboard) => [dashboard.uid, dashboard] as const))(
  'every query of %s has data',
  async (_, dashboard) => {
    const outbound = ({ where }: Sent) => /Outbound|variable destination/.test(where)
    const sent = sentBy(dashboard, chosen, WINDOW).filter((one) => !outbound(one))
    expect(await unanswered([...sent, ...sentBy(dashboard, caller, WINDOW).filter(outbound)])).toEqual([])
  },
)

withPrometheus('every alert can be asked', async () => {
  for (const { expr } of ALERTS) await prometheus.instant(expr)
})

async function one(expression: string): Promise<number> {
  const samples = await prometheus.instant(inWindow(expression))
  expect(samples).toHaveLength(1)
  return samples[0]?.value as number
}

withPrometheus('rates, success and quantiles are those of the calls', async () => {
  const source = ['reporter="source"']
  const v2 = [...source, 'destination_version="v2"']
  expect(Math.abs((await one(rateBy([], 'istio_requests_total', source))) - 100)).toBeLessThan(100 * NEAR)
  expect(await one(successBy([], v2))).toBeCloseTo(0.7, 5)
  expect(await one(successBy([], source))).toBeCloseTo(0.97, 5)
  // v1 is in (25, 50], v2 in (250, 500].
  const median = await one(quantileBy(0.5, [], 'istio_request_duration_milliseconds', source))
  expect(median).toBeGreaterThan(25)
  expect(median).toBeLessThanOrEqual(50)
  const p99 = await one(quantileBy(0.99, [], 'istio_request_duration_milliseconds', source))
  expect(p99).toBeGreaterThan(250)
  expect(p99).toBeLessThanOrEqual(500)
})

withPrometheus('recorded success counts errors of gRPC', async () => {
  expect(await one('mesh:istio_requests_success:ratio_rate5m')).toBeCloseTo(0.97, 3)
  const workload = 'workload:istio_requests_success:ratio_rate5m{reporter="source", destination_workload="reviews-v2"}'
  expect(await one(workload)).toBeCloseTo(0.7, 3)
  expect(await one('service:istio_requests_unroutable:ratio_rate5m{reporter="source"}')).toBeCloseTo(0.01, 3)
})
