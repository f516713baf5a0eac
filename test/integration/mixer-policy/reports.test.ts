import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { PLANES } from '../../differential/mesh-pair.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { COUNTING_RULES, countOf } from '../../support/counting-mixer.ts'
import { eventually } from '../../support/eventually.ts'
import { MixerProcess } from '../../support/mixer-process.ts'
import { MIXER_HOST, PolicedWorkload } from './policed-workload.ts'

/** What real Envoy and our proxy, told to by one pilot, report to one mixer of what came to a workload. */

const envoy = peerOrSkip('envoy')
const planes = envoy === undefined ? (['lateen'] as const) : PLANES

const REQUESTS = 120
const CONNECTIONS = 20

const mixer = new MixerProcess({ 'config.yaml': COUNTING_RULES })
let ratings: PolicedWorkload

beforeAll(async () => {
  const port = await mixer.listen()
  ratings = new PolicedWorkload('ratings', port, COUNTING_RULES, {
    mixerCheckServer: '',
    mixerReportServer: `${MIXER_HOST}:9091`,
  })
  await ratings.start(envoy)
  for (const plane of planes) await eventually(async () => expect((await ratings.send(plane)).status).toBe(200))
}, 60_000)

afterAll(async () => {
  await ratings?.stop()
  await mixer.close()
}, 20_000)

async function scraped(): Promise<string> {
  const pages = await Promise.all(mixer.mixer.handlers.map((handler) => handler.exposition?.() ?? ''))
  return pages.join('')
}

test.each(planes)(
  'every request and every connection through %s is told once',
  async (plane) => {
    const caller = '127.19.8.7'
    for (let i = 0; i < REQUESTS; i++) {
      expect((await ratings.send(plane, ['x-tenant: gold'], caller)).status).toBe(200)
    }
    for (let i = 0; i < CONNECTIONS; i++) expect((await ratings.pass(plane)).status).toBe(200)
    const workload = { app: 'ratings', service: 'ratings.default.svc.cluster.local', destination: ratings.ip(plane) }
    const calls = { ...workload, namespace: 'default', code: '200', path: '/', tenant: 'gold', source: caller }
    const counts = async () => {
      const page = await scraped()
      return [countOf(page, 'calls', calls), countOf(page, 'connections', workload)]
    }
    await eventually(async () => expect(await counts()).toEqual([REQUESTS, CONNECTIONS]))
    // What is told for a second time would come with the next batch.
    await ratings.send(plane, ['x-tenant: last'])
    await eventually(async () => expect(countOf(await scraped(), 'calls', { ...workload, tenant: 'last' })).toBe(1))
    expect(await counts()).toEqual([REQUESTS, CONNECTIONS])
  },
  60_000,
)
