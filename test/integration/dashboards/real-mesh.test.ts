import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { BookinfoMesh } from '../../../cli/demo/bookinfo-mesh.ts'
import { firstWorkloads, hostPort } from '../../../cli/demo/layout.ts'
import { SampleFiles } from '../../../cli/demo/sample-files.ts'
import { DASHBOARDS } from '../../../dashboards/boards/all.ts'
import { JOBS } from '../../../dashboards/catalogue.ts'
import { sentBy } from '../../../dashboards/check/expressions.ts'
import { builtCli } from '../../e2e/built.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { PrometheusProcess } from '../../support/prometheus-process.ts'

/** The dashboards on Bookinfo under a load that is counted. */

/** True when proxies and the pilot expose the whole catalogue. */
const EXPOSED = false

const program = peerOrSkip('prometheus')
const onMesh = EXPOSED && program !== undefined ? test : test.skip
const rules = join(dirname(fileURLToPath(import.meta.url)), '../../../dashboards/prometheus/recording.yaml')
const CALLS = 200
const WINDOW = '1m'
const SERVICE = 'reviews.default.svc.cluster.local'
const chosen = { service: SERVICE, namespace: 'default', workload: 'reviews-v1', old: 'v1', new: 'v1' }
/** What Bookinfo does not do: TCP, gRPC, and what is only there after a failure. */
const NOT_DONE = /TCP|gRPC|Refused|refused|Late answers|by flag|Retries|fail/

let mesh: BookinfoMesh
let prometheus: PrometheusProcess
let before = 0

const count = async (reporter: string) => {
  const samples = await prometheus.instant(
    `sum(istio_requests_total{reporter="${reporter}", destination_service="${SERVICE}", response_code="200"})`,
  )
  return samples[0]?.value ?? 0
}

beforeAll(async () => {
  if (!EXPOSED || program === undefined) return
  const cli = builtCli()
  mesh = await BookinfoMesh.prepare(cli, new SampleFiles(cli))
  await mesh.start()
  const { layout } = mesh
  const proxies = firstWorkloads(layout).map(({ name, admin }) => ({ pod: name, address: hostPort(admin) }))
  prometheus = new PrometheusProcess(program, {
    targets: [
      ...[...proxies, { pod: 'gateway', address: hostPort(layout.gatewayAdmin) }].map(({ pod, address }) => {
        return { job: JOBS.proxy, address, path: '/stats/prometheus', labels: { pod, namespace: 'default' } }
      }),
      { job: JOBS.pilot, address: hostPort(layout.pilot), labels: { pod: 'pilot', namespace: 'default' } },
    ],
    rules: [rules],
  })
  await prometheus.start()
  // The first scrapes have the series, so that rates see all of the load.
  await eventually(async () => {
    before = await count('destination')
    expect(before).toBeGreaterThan(0)
    expect(await prometheus.instant('min(count_over_time(up[1m])) >= 3')).toHaveLength(1)
  }, 30_000)
  for (let i = 0; i < CALLS; i++) {
    const response = await fetch(`http://${hostPort(mesh.gateway)}/api/v1/products/0/reviews`)
    expect(response.status).toBe(200)
    await response.arrayBuffer()
  }
}, 120_000)

afterAll(async () => {
  await prometheus?.stop()
  await mesh?.stop()
}, 30_000)

onMesh(
  'both ends count each call once',
  async () => {
    await eventually(async () => {
      expect((await count('destination')) - before).toBe(CALLS)
      expect(await count('source')).toBe(before + CALLS)
    }, 15_000)
  },
  30_000,
)

onMesh(
  'every query has data, but those of what Bookinfo does not do',
  async () => {
    const sent = DASHBOARDS.flatMap((dashboard) => sentBy(dashboard, chosen, WINDOW))
    const empty: string[] = []
    for (const { where, expression } of sent) {
      if (!NOT_DONE.test(where) && (await prometheus.instant(expression)).length === 0) empty.push(where)
    }
    expect(empty).toEqual([])
  },
  30_000,
)
