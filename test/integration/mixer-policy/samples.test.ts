import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { PLANES } from '../../differential/mesh-pair.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { DENY_RULE, pod, rateLimitRule } from '../../support/mixer-config.ts'
import { MixerProcess } from '../../support/mixer-process.ts'
import { PolicedWorkload } from './policed-workload.ts'

/** Istio's sample policies, through real Envoy and through our proxy, which one pilot tells to ask one mixer. */

const envoy = peerOrSkip('envoy')
const planes = envoy === undefined ? (['lateen'] as const) : PLANES

const REVIEWS_V3 = '127.19.8.3'
const REVIEWS_V2 = '127.19.8.2'
const WINDOW_MS = 5_000

const policy = [
  rateLimitRule(),
  DENY_RULE,
  pod('reviews-v3', REVIEWS_V3, { app: 'reviews', version: 'v3' }).slice(4),
  pod('reviews-v2', REVIEWS_V2, { app: 'reviews', version: 'v2' }).slice(4),
].join('---\n')
const mixer = new MixerProcess({ 'policy.yaml': policy })
let productpage: PolicedWorkload
let ratings: PolicedWorkload

beforeAll(async () => {
  const port = await mixer.listen()
  productpage = new PolicedWorkload('productpage', port, policy)
  ratings = new PolicedWorkload('ratings', port, policy)
  await productpage.start(envoy)
  await ratings.start(envoy)
  // Until it has been asked, a proxy may not know yet where the mixer is.
  for (const plane of planes) {
    await eventually(async () => expect((await ratings.send(plane)).status).toBe(200))
    await eventually(async () =>
      expect((await productpage.send(plane, [`x-forwarded-for: 10.0.0.${plane.length}`])).status).toBe(200),
    )
  }
}, 60_000)

afterAll(async () => {
  await productpage?.stop()
  await ratings?.stop()
  await mixer.close()
}, 20_000)

test.each(planes)('the rule that denies holds through %s', async (plane) => {
  const denied = await ratings.send(plane, [], REVIEWS_V3)
  expect([denied.status, denied.body]).toEqual([403, 'PERMISSION_DENIED:denyreviewsv3handler.default:Not allowed'])
  expect((await ratings.send(plane, [], REVIEWS_V2)).status).toBe(200)
  const again = await ratings.send(plane, [], REVIEWS_V3)
  expect([again.status, again.body]).toEqual([denied.status, denied.body])
})

test('our proxy does not ask again what it has been told', async () => {
  await ratings.send('lateen', [], REVIEWS_V3)
  await ratings.send('lateen', [], REVIEWS_V2)
  const asked = mixer.mixer.stats.checks.value
  const hits = ratings.metric('http.ext_authz.cache_hit')
  expect((await ratings.send('lateen', [], REVIEWS_V3)).status).toBe(403)
  expect((await ratings.send('lateen', [], REVIEWS_V2)).status).toBe(200)
  expect(ratings.metric('http.ext_authz.cache_hit')).toBe(hits + 2)
  expect(mixer.mixer.stats.checks.value).toBe(asked)
})

test.each(planes)(
  'productpage takes two requests in five seconds through %s, for each of those who call',
  async (plane) => {
    const statuses = async (...fields: string[]) => {
      const found: number[] = []
      for (let i = 0; i < 4; i++) found.push((await productpage.send(plane, fields)).status)
      return found
    }
    const who = `x-forwarded-for: 10.7.0.${plane.length}`
    expect(await statuses(who)).toEqual([200, 200, 429, 429])
    expect(await statuses(`${who}, 10.9.9.9`)).toEqual([200, 200, 429, 429])
    // The one to whom another limit applies.
    expect(await statuses('x-forwarded-for: 10.28.11.20')).toEqual([200, 200, 200, 200])
    await new Promise((resolve) => setTimeout(resolve, WINDOW_MS + 300))
    expect(await statuses(who)).toEqual([200, 200, 429, 429])
  },
  30_000,
)

test('no five seconds see a third request, however many are sent, and the mixer is asked about few', async () => {
  const passed: { sentMs: number; answeredMs: number }[] = []
  const asked = mixer.mixer.stats.quotas.value
  const beginMs = performance.now()
  let sent = 0
  const worker = async () => {
    while (performance.now() - beginMs < 2.2 * WINDOW_MS) {
      const sentMs = performance.now()
      sent++
      const { status } = await productpage.send('lateen', ['x-forwarded-for: 10.8.0.1'])
      if (status === 200) passed.push({ sentMs, answeredMs: performance.now() })
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  passed.sort((a, b) => a.answeredMs - b.answeredMs)
  expect(passed.length).toBeGreaterThanOrEqual(4)
  passed.slice(2).forEach(({ answeredMs }, i) => {
    expect(answeredMs - (passed[i]?.sentMs ?? 0)).toBeGreaterThanOrEqual(WINDOW_MS)
  })
  // Each refusal is known for a second; around its end all eight may ask.
  expect(mixer.mixer.stats.quotas.value - asked).toBeLessThan(sent * 0.1)
}, 40_000)
