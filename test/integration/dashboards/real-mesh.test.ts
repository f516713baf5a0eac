import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { DASHBOARDS } from '../../../dashboards/boards/all.ts'
import { ISTIO_BOUNDS } from '../../../dashboards/catalogue.ts'
import { type Sent, sentBy } from '../../../dashboards/check/expressions.ts'
import { quantileBy } from '../../../dashboards/model/promql.ts'
import { ALERTS } from '../../../dashboards/rules/prometheus.ts'
import { RECORDING_RULES } from '../../../dashboards/rules/recording.ts'
import { builtCli } from '../../e2e/built.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { PrometheusProcess, type ScrapeTarget } from '../../support/prometheus-process.ts'
import { BusyBookinfo, type Caller, DELAY_MS, LINE, LINE_ANSWER_BYTES, UNAVAILABLE } from './busy-bookinfo.ts'

/** The dashboards, rules and numbers on Bookinfo under a load that is counted, scraped by a real Prometheus. */

const program = peerOrSkip('prometheus')
const onMesh = program === undefined ? test.skip : test
const rules = join(dirname(fileURLToPath(import.meta.url)), '../../../dashboards/prometheus/recording.yaml')
const ROUNDS = 40
/** Of v1 in each round; of every other caller and protocol there is one. */
const OF_V1 = 3
/** One call of gRPC in so many fails. */
const FAILS_EVERY = 4
/** In the middle of calls, which must not notice. */
const CHANGES_EVERY = 10
const SCRAPE_MS = 1000
const WINDOW = '1m'
const SERVICE = 'reviews.default.svc.cluster.local'
const chosen = { service: SERVICE, namespace: 'default', workload: 'reviews-v1', old: 'v1', new: 'v2' }
/** A workload that only serves sends nothing. */
const caller = { ...chosen, workload: 'productpage-v1' }

let bookinfo: BusyBookinfo
let prometheus: PrometheusProcess
/** How long callers waited at the gateway, milliseconds. */
const waitedMs: number[] = []

async function sum(selector: string): Promise<number> {
  return (await prometheus.instant(`sum(${selector})`))[0]?.value ?? 0
}

const AT = ['source', 'destination'] as const
const HTTP = 'request_protocol="http", response_code='
/** What is counted, and by how much the load raises it. */
const COUNTED: Record<string, number> = {}
for (const reporter of AT) {
  const of = (matchers: string) => `{reporter="${reporter}", destination_service="${SERVICE}"${matchers}}`
  const requests = (matchers: string) => `istio_requests_total${of(`, ${matchers}`)}`
  COUNTED[requests(`${HTTP}"200", destination_version="v1"`)] = ROUNDS * OF_V1
  COUNTED[requests(`${HTTP}"200", destination_version="v2"`)] = ROUNDS
  COUNTED[requests('request_protocol="grpc", grpc_response_status="0"')] = ROUNDS - ROUNDS / FAILS_EVERY
  COUNTED[requests(`request_protocol="grpc", grpc_response_status="${UNAVAILABLE}"`)] = ROUNDS / FAILS_EVERY
  COUNTED[requests('connection_security_policy="mutual_tls"')] = reporter === 'source' ? 0 : ROUNDS * (OF_V1 + 2)
  COUNTED[`istio_request_messages_total${of('')}`] = ROUNDS
  COUNTED[`istio_response_messages_total${of('')}`] = ROUNDS - ROUNDS / FAILS_EVERY
  COUNTED[`istio_tcp_connections_opened_total${of('')}`] = ROUNDS
  COUNTED[`istio_tcp_connections_closed_total${of('')}`] = ROUNDS
  COUNTED[`istio_tcp_received_bytes_total${of('')}`] = ROUNDS * LINE.length
  COUNTED[`istio_tcp_sent_bytes_total${of('')}`] = ROUNDS * LINE_ANSWER_BYTES
  // What never arrived only the caller's side knows of.
  COUNTED[requests(`${HTTP}"500", response_flags="FI"`)] = reporter === 'source' ? ROUNDS : 0
  COUNTED[requests(`${HTTP}"503", response_flags="UH"`)] = reporter === 'source' ? ROUNDS : 0
}
const before: Record<string, number> = {}

beforeAll(async () => {
  if (program === undefined) return
  bookinfo = await BusyBookinfo.start(builtCli())
  prometheus = new PrometheusProcess(program, { targets: await targets(), rules: [rules], intervalMs: SCRAPE_MS })
  await prometheus.start()
  await eventually(() => oneRound(1), 30_000)
  await oneRound(0)
  // Every series was scraped, and nothing of the first round is still to come, so that rates see all of the load.
  await eventually(async () => {
    for (const [selector, count] of Object.entries(COUNTED)) {
      if (count > 0) expect([selector, await sum(selector)]).not.toEqual([selector, 0])
    }
  }, 20_000)
  await pause(3 * SCRAPE_MS)
  for (const selector of Object.keys(COUNTED)) before[selector] = await sum(selector)
  waitedMs.length = 0
  for (let i = 0; i < ROUNDS; i++) {
    await oneRound(i)
    if (i % CHANGES_EVERY === 0) await bookinfo.changeRoute(11 + i)
    await pause(200)
  }
}, 180_000)

afterAll(async () => {
  await prometheus?.stop()
  await bookinfo?.stop()
}, 30_000)

/** What the demo's own configuration of Prometheus says. */
async function targets(): Promise<ScrapeTarget[]> {
  const { scrape_configs } = parse(await readFile(bookinfo.mesh.prometheusFile, 'utf8'))
  // biome-ignore lint/suspicious/noExplicitAny: Prometheus' own shape
  return scrape_configs.flatMap(({ job_name, metrics_path, static_configs }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: the same
    static_configs.flatMap(({ targets, labels }: any) =>
      targets.map((address: string) => ({ job: job_name, path: metrics_path, address, labels })),
    ),
  )
}

async function oneRound(number = 0): Promise<void> {
  const expectOf = async (who: Caller, status: number, version?: string) => {
    const answer = await bookinfo.ask(who)
    expect(answer).toMatchObject({ status, version })
    waitedMs.push(answer.ms)
    return answer.ms
  }
  for (let i = 0; i < OF_V1; i++) await expectOf('v1', 200, 'v1')
  expect(await expectOf('v2', 200, 'v2')).toBeGreaterThanOrEqual(DELAY_MS)
  await expectOf('broken', 500)
  await expectOf('nowhere', 503)
  const fail = number % FAILS_EVERY === 0 ? UNAVAILABLE : undefined
  expect(await bookinfo.call(fail)).toBe(fail ?? 0)
  expect(await bookinfo.connect()).toBe(LINE_ANSWER_BYTES)
}

onMesh(
  'counts are those of the load, at both ends',
  async () => {
    await eventually(async () => {
      const raised: Record<string, number> = {}
      for (const selector of Object.keys(COUNTED)) {
        raised[selector] = (await sum(selector)) - (before[selector] as number)
      }
      expect(raised).toEqual(COUNTED)
    }, 15_000)
  },
  30_000,
)

/** The number of the bucket that has this many milliseconds in it. */
const bucketOf = (ms: number) => ISTIO_BOUNDS.filter((bound) => bound < ms).length

async function quantile(q: number, matchers: readonly string[]): Promise<number> {
  const asked = quantileBy(q, [], 'istio_request_duration_milliseconds', matchers).replaceAll(
    '$__rate_interval',
    WINDOW,
  )
  return (await prometheus.instant(asked))[0]?.value as number
}

onMesh('quantiles are in the bucket of what callers measured and of the fault, or next to it', async () => {
  const sorted = waitedMs.sort((a, b) => a - b)
  for (const q of [0.5, 0.9]) {
    const measured = bucketOf(sorted[Math.floor(q * sorted.length)] as number)
    const known = bucketOf(await quantile(q, ['reporter="source"', 'source_workload="istio-ingressgateway"']))
    // Callers wait for the network and for themselves too.
    expect([0, 1]).toContain(measured - known)
  }
  for (const reporter of AT) {
    const v2 = [`reporter="${reporter}"`, 'request_protocol="http"', 'destination_workload="reviews-v2"']
    expect(bucketOf(await quantile(0.5, v2))).toBe(bucketOf(DELAY_MS))
  }
})

async function unanswered(sent: readonly Sent[]): Promise<string[]> {
  const empty: string[] = []
  for (const { where, expression } of sent) {
    const samples = await prometheus.instant(expression)
    // What is idle has no quantile.
    if (samples.every(({ value }) => Number.isNaN(value))) empty.push(`${where}: ${expression}`)
  }
  return empty
}

onMesh(
  'every recorded series and every query of every dashboard has data',
  async () => {
    await eventually(async () => {
      for (const { record } of RECORDING_RULES)
        expect([record, await prometheus.instant(record)]).not.toEqual([record, []])
    }, 20_000)
    const outbound = ({ where }: Sent) => /Outbound|variable destination/.test(where)
    const sent = DASHBOARDS.flatMap((dashboard) => [
      ...sentBy(dashboard, chosen, WINDOW).filter((one) => !outbound(one)),
      ...sentBy(dashboard, caller, WINDOW).filter(outbound),
    ])
    expect(await unanswered(sent)).toEqual([])
    // The gateway and five sidecars.
    expect(await sum('istio_build{component="proxy"}')).toBe(6)
    expect(await sum('pilot_xds')).toBe(6)
  },
  40_000,
)

onMesh('the failures of the load are what an alert would be about', async () => {
  for (const { expr } of ALERTS) await prometheus.instant(expr)
  const alert = ALERTS.find(({ name }) => name === 'LateenErrorsHigh')
  const services = (await prometheus.instant(alert?.expr ?? '')).map(({ labels }) => labels.destination_service)
  expect(services).toContain(SERVICE)
})
