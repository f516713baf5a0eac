import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { HttpLoad, type LoadCounts } from '../../support/http-load.ts'
import { DENY_RULE } from '../../support/mixer-config.ts'
import { MixerProcess } from '../../support/mixer-process.ts'
import { PolicedWorkload, SERVICE_PORT } from './policed-workload.ts'

/** Steady traffic under a check and a quota, each of which names what the calls differ in: how often the mixer is asked. */

const REQUESTS = 4_000
const ROUND = 40
const ROUND_MS = 60

/** Who calls is told apart by a header, of few values. */
const POLICY = `${DENY_RULE}---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny-the-banned, namespace: istio-system}
spec:
  match: request.headers["x-user"] == "banned"
  actions:
  - handler: denyreviewsv3handler.default
    instances: [ denyreviewsv3request.default ]
---
apiVersion: config.istio.io/v1alpha2
kind: handler
metadata: {name: quotahandler, namespace: istio-system}
spec:
  compiledAdapter: memquota
  params:
    quotas:
    - name: count.instance.istio-system
      maxAmount: 100000
      validDuration: 60s
---
apiVersion: config.istio.io/v1alpha2
kind: instance
metadata: {name: count, namespace: istio-system}
spec:
  compiledTemplate: quota
  params:
    dimensions:
      destination: destination.labels["app"]
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpec
metadata: {name: count, namespace: istio-system}
spec:
  rules: [{quotas: [{charge: 1, quota: count}]}]
---
apiVersion: config.istio.io/v1alpha2
kind: QuotaSpecBinding
metadata: {name: count, namespace: istio-system}
spec:
  quotaSpecs: [{name: count, namespace: istio-system}]
  services: [{name: shop, namespace: default}]
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: count, namespace: istio-system}
spec:
  actions: [{handler: quotahandler, instances: [count]}]
`
const USERS = ['alice', 'bob', 'carol', 'dora']

const mixer = new MixerProcess({ 'policy.yaml': POLICY })
let shop: PolicedWorkload

beforeAll(async () => {
  shop = new PolicedWorkload('shop', await mixer.listen(), POLICY)
  await shop.start(undefined)
  await eventually(async () => expect((await shop.send('lateen')).status).toBe(200))
}, 60_000)

afterAll(async () => {
  await shop?.stop()
  await mixer.close()
}, 20_000)

test('the mixer is asked about at most one request of a hundred, and proxy and mixer count the same', async () => {
  expect(mixer.mixer.findings()).toEqual([])
  const load = new HttpLoad(shop.ip('lateen'), SERVICE_PORT)
  const counts: LoadCounts = { byServer: {}, errors: [] }
  const { checks, quotas } = mixer.mixer.stats
  const before = [checks.value, quotas.value] as const
  const ofProxy = () => ({
    missed: shop.metric('http.ext_authz.cache_miss'),
    hits: shop.metric('http.ext_authz.cache_hit'),
    notKept: shop.metric('http.ext_authz.cache_not_kept'),
    quotaMissed: shop.metric('ratelimit.quota_miss'),
    quotaHits: shop.metric('ratelimit.quota_hit'),
    quotaAhead: shop.metric('ratelimit.quota_prefetch'),
  })
  const first = ofProxy()
  for (let sent = 0; sent < REQUESTS; sent += ROUND) {
    const pause = new Promise((resolve) => setTimeout(resolve, ROUND_MS))
    const round = Array.from({ length: ROUND }, (_, i) => {
      const user = USERS[(sent + i) % USERS.length] as string
      return load.one({ host: 'app', path: `/${sent + i}`, headers: { 'x-user': user } }, counts)
    })
    await Promise.all([...round, pause])
  }
  load.close()
  expect(counts).toEqual({ byServer: { app: REQUESTS }, errors: [] })
  const last = ofProxy()
  const asked = { checks: checks.value - before[0], quotas: quotas.value - before[1] }
  expect(last.missed - first.missed).toBe(asked.checks)
  expect(last.quotaMissed - first.quotaMissed + last.quotaAhead - first.quotaAhead).toBe(asked.quotas)
  expect(last.missed + last.hits - first.missed - first.hits).toBe(REQUESTS)
  expect(last.quotaMissed + last.quotaHits - first.quotaMissed - first.quotaHits).toBe(REQUESTS)
  expect(last.notKept).toBe(0)
  expect(asked.checks + asked.quotas).toBeLessThanOrEqual(REQUESTS / 100)
  expect((await shop.send('lateen', ['x-user: banned'])).status).toBe(403)
}, 60_000)
