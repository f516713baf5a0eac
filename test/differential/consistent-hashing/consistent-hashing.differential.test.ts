import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Random, randomInt, seededRandom } from '../../../lib/random.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { Backends } from './backends.ts'
import { askInBulk, backendsOf } from './bulk.ts'
import { get, HashingPair, hashed, PORT, type TestEndpoint } from './hashing-pair.ts'

/** Ring hash and Maglev send the same requests to the same endpoints as a real Envoy, whatever the endpoints are. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const SEED = Number(process.env.LATEEN_TEST_SEED || 2611)
const KEYS = Number(process.env.LATEEN_TEST_KEYS || 10_000)
const PROBES = 400
const BACKENDS = 12

const random = seededRandom(SEED)
const backends = new Backends()
const pair = new HashingPair()
const ALGORITHMS = ['ring', 'maglev', 'small-ring', 'small-maglev'] as const
type Algorithm = (typeof ALGORITHMS)[number]

const CLUSTERS = [
  hashed('ring', { lb_policy: 'RING_HASH' }),
  hashed('maglev', { lb_policy: 'MAGLEV' }),
  hashed('small-ring', {
    lb_policy: 'RING_HASH',
    // Not a whole number of points for each.
    ring_hash_lb_config: { minimum_ring_size: 7, maximum_ring_size: 61 },
  }),
  hashed('small-maglev', { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: 251 } }),
]

const header = (header_name: string, fields: object = {}) => ({ header: { header_name }, ...fields })
const to = (path: string, cluster: string, hash_policy: object[]) => ({
  match: { path },
  route: { cluster, hash_policy, timeout: '60s' },
})

const ROUTES = [
  ...ALGORITHMS.map((name) => to(`/${name}`, name, [header('x-key')])),
  to('/cookie', 'ring', [{ cookie: { name: 'session' } }]),
  to('/begin', 'ring', [
    {
      cookie: {
        name: 'begun',
        ttl: '3600.9s',
        path: '/p',
        attributes: [{ name: 'SameSite', value: 'Lax' }, { name: 'Secure' }],
      },
    },
  ]),
  to('/begin-session', 'maglev', [{ cookie: { name: 'begun', ttl: '0s' } }]),
  { ...to('/query', 'ring', [{ query_parameter: { name: 'key' } }]), match: { prefix: '/query' } },
  to('/source', 'maglev', [{ connection_properties: { source_ip: true } }]),
  to('/authority', 'ring', [header(':authority')]),
  to('/several', 'ring', [header('x-key'), header('x-other'), { cookie: { name: 'session' } }]),
  to('/terminal', 'ring', [header('x-other', { terminal: true }), header('x-key')]),
  to('/rewritten', 'maglev', [
    {
      header: {
        header_name: 'x-key',
        regex_rewrite: { pattern: { google_re2: {}, regex: '([a-m])[0-9]*' }, substitution: '\\1-' },
      },
    },
  ]),
  // Nothing is hashed here: the cookie must not be begun.
  to('/plain', 'plain', [{ cookie: { name: 'begun', ttl: '0s' } }]),
]

beforeAll(async () => {
  await backends.start(BACKENDS)
  if (envoy === undefined) return
  await pair.start(envoy, [...CLUSTERS, hashed('plain', { lb_policy: 'ROUND_ROBIN' })], ROUTES, equal([0, 1, 2, 3, 4]))
}, 60_000)

afterAll(async () => {
  await pair.stop()
  backends.stop()
}, 20_000)

const equal = (ids: readonly number[]): TestEndpoint[] => ids.map((id) => ({ port: backends.ports[id]!, weight: 1 }))
const idsOf = (endpoints: readonly TestEndpoint[]) => endpoints.map(({ port }) => backends.ports.indexOf(port))

/** Anything that may stand in a field, and in a cookie. */
function randomKey(from: Random): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/\xe4\xff'
  const length = 1 + randomInt(from, randomInt(from, 5) === 0 ? 80 : 12)
  return Array.from({ length }, () => alphabet[randomInt(from, alphabet.length)]).join('')
}

interface Step {
  readonly what: string
  readonly endpoints: readonly TestEndpoint[]
}

/** Each differs from the one before so that some key must move. */
function steps(): Step[] {
  const weighted = [0, 1, 2, 3, 4].map((id) => ({ port: backends.ports[id]!, weight: 1 + randomInt(random, 20) }))
  const more = [5, 6, 7].map((id) => ({ port: backends.ports[id]!, weight: 1 + randomInt(random, 20) }))
  const all = Array.from({ length: BACKENDS }, (_, id) => id)
  return [
    { what: 'five alike', endpoints: equal([0, 1, 2, 3, 4]) },
    { what: 'one leaves', endpoints: equal([0, 1, 3, 4]) },
    { what: 'it comes back, all weigh differently', endpoints: weighted },
    { what: 'three come', endpoints: [...weighted, ...more] },
    { what: 'one of those that weigh leaves', endpoints: [...weighted.slice(1), ...more] },
    { what: 'all alike', endpoints: equal(all) },
    { what: 'one of twelve leaves', endpoints: equal(all.filter((id) => id !== 7)) },
    {
      what: 'they have keys of their own',
      endpoints: equal(all).map((endpoint, id) => (id % 2 === 0 ? { ...endpoint, hashKey: `pod-${id}` } : endpoint)),
    },
  ]
}

withEnvoy(
  `${KEYS} keys over changing endpoints, seed ${SEED}`,
  async () => {
    const keys = Array.from({ length: KEYS }, () => randomKey(random))
    const asked = (name: Algorithm) =>
      keys.slice(0, name.startsWith('small') ? KEYS / 10 : KEYS).map((key) => get(`/${name}`, { 'x-key': key }))
    const probes = ALGORITHMS.flatMap((name) => asked(name).slice(0, PROBES))
    const before = new Map<Algorithm, { envoy: number[]; lateen: number[] }>()
    const seen = { envoy: '', lateen: '' }
    const report: string[] = []
    for (const { what, endpoints } of steps()) {
      pair.set(endpoints)
      const ids = new Set(idsOf(endpoints))
      // Each has taken the change up by itself, before they are compared.
      for (const plane of ['envoy', 'lateen'] as const) {
        await eventually(async () => {
          const found = await backendsOf(pair.hosts[plane], PORT, probes)
          expect(new Set(found)).toEqual(ids)
          expect(found.join()).not.toBe(seen[plane])
          seen[plane] = found.join()
        }, 20_000)
      }
      for (const name of ALGORITHMS) {
        const requests = asked(name)
        const [theirs, ours] = await Promise.all([
          backendsOf(pair.hosts.envoy, PORT, requests),
          backendsOf(pair.hosts.lateen, PORT, requests),
        ])
        const differing = keys.slice(0, ours.length).filter((_, i) => theirs[i] !== ours[i])
        expect({ what, name, differing: differing.length, some: differing.slice(0, 5) }).toEqual({
          what,
          name,
          differing: 0,
          some: [],
        })
        const last = before.get(name)
        const moved = (now: number[], then: number[] | undefined) => now.filter((id, i) => id !== then?.[i]).length
        const counts = { theirs: moved(theirs, last?.envoy), ours: moved(ours, last?.lateen) }
        if (last !== undefined) {
          expect(counts.ours).toBeLessThanOrEqual(counts.theirs)
          report.push(
            `${what}: ${name}: of ${ours.length} keys 0 differ, ${counts.ours} moved (Envoy ${counts.theirs})`,
          )
        }
        before.set(name, { envoy: theirs, lateen: ours })
      }
    }
    process.stderr.write(`${report.join('\n')}\n`)
  },
  300_000,
)

withEnvoy(
  `what is hashed of a request, seed ${SEED}`,
  async () => {
    const from = seededRandom(SEED + 1)
    const requests = Array.from({ length: 4000 }, () => randomRequest(from))
    const [theirs, ours] = await Promise.all([
      askInBulk(pair.hosts.envoy, PORT, requests),
      askInBulk(pair.hosts.lateen, PORT, requests),
    ])
    const differing = requests.filter((_, i) => theirs[i]?.backend !== ours[i]?.backend)
    expect(differing.slice(0, 5)).toEqual([])
  },
  60_000,
)

function randomRequest(from: Random): string {
  const key = () => randomKey(from)
  const maybe = <T>(value: T, otherwise: T) => (randomInt(from, 3) > 0 ? value : otherwise)
  const cookie = () =>
    [`a=${key()}`, maybe(`session=${maybe(key(), `"${key()}"`)}`, 'session=x'), 'sessions=1'].sort(
      () => from.next() - 0.5,
    )
  switch (randomInt(from, 7)) {
    case 0:
      return get('/cookie', { cookie: maybe<string | string[]>(cookie().join('; '), cookie()) })
    case 1: {
      const asPath = () => key().replace(/[^\w.-]/g, '~')
      return get(`/query?a=${asPath()}&${maybe('key', 'key')}=${asPath()}&key=${asPath()}&keys=1`)
    }
    case 2:
      return get('/source')
    case 3:
      return get('/authority', { host: `h${randomInt(from, 100)}.example:${randomInt(from, 100)}` })
    case 4:
      return get('/several', {
        'x-key': maybe<string | string[]>(key(), [key(), key(), key()]),
        ...maybe({ 'x-other': key() }, {}),
        ...maybe({ cookie: cookie().join(';') }, {}),
      })
    case 5:
      return get('/terminal', { 'x-key': key(), ...maybe({ 'x-other': key() }, {}) })
    default:
      return get('/rewritten', { 'x-key': `${maybe('a1b22', 'c333')}${key()}` })
  }
}

withEnvoy('a cookie is begun where the client has none, and leads back', async () => {
  const shape = (cookie: string | undefined) => cookie?.replace(/"[0-9a-f]{16}"/, '"value"')
  for (const path of ['/begin', '/begin-session']) {
    for (const host of Object.values(pair.hosts)) {
      const [first] = await askInBulk(host, PORT, [get(path)])
      const attributes = path === '/begin' ? '; Max-Age=3600; Path=/p; SameSite=Lax; Secure' : ''
      expect(shape(first?.setCookie)).toBe(`begun="value"${attributes}; HttpOnly`)
      const pairOf = first?.setCookie?.split(';')[0] as string
      const again = await askInBulk(
        host,
        PORT,
        Array.from({ length: 20 }, () => get(path, { cookie: pairOf })),
      )
      expect(new Set(again.map(({ backend }) => backend))).toEqual(new Set([first?.backend]))
      expect(again.every(({ setCookie }) => setCookie === undefined)).toBe(true)
    }
  }
  for (const host of Object.values(pair.hosts)) {
    const [answer] = await askInBulk(host, PORT, [get('/plain')])
    expect(answer?.setCookie).toBeUndefined()
  }
})
