import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { typed } from '../../support/static-resources.ts'
import { StaticPair } from '../static-pair.ts'

/**
 * A request under several limits at once: whose tokens are taken and of which bucket the answer tells, on real Envoy and on our
 * proxy. No token comes back while a test runs.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const FIRST_PORT = 25_200
const pair = new StaticPair()

interface Bucket {
  readonly size: number
  readonly fill: number
  readonly isShadow?: boolean
}
interface Case {
  /** Of a header each: the first is that of `a`, the second that of `b`. */
  readonly buckets: readonly Bucket[]
  /** The headers whose limits are asked, in this order; twice the same takes two tokens. */
  readonly asked: string
  /** The default bucket, and whether those under another limit take from it too. */
  readonly rest?: Bucket & { readonly isAlways: boolean }
}

const BUCKETS = [2, 3].flatMap((size) => [1, 2].map((fill) => ({ size, fill })))
const PAIRS = BUCKETS.flatMap((a) => BUCKETS.map((b) => [a, b]))
const SPEEDS = [1, 2].flatMap((a) => [1, 2].flatMap((b) => [1, 2].map((c) => [a, b, c])))
const TRIPLES = ['223', '232', '322'].flatMap((sizes) =>
  SPEEDS.map((speeds) => speeds.map((fill, i) => ({ size: Number(sizes[i]), fill }))),
)
const [small, large] = [
  { size: 2, fill: 1 },
  { size: 3, fill: 1 },
]
const shadow = { ...small, isShadow: true }

const CASES: Readonly<Record<string, readonly Case[]>> = {
  'two buckets, of every pair of sizes and speeds': PAIRS.map((buckets) => ({ buckets, asked: 'ab' })),
  'three buckets, one of which is larger, of all speeds': TRIPLES.map((buckets) => ({ buckets, asked: 'abc' })),
  'a bucket twice, with another': ['aab', 'aba', 'baa'].flatMap((asked) =>
    [1, 2].map((fill) => ({ buckets: [{ ...large, fill }, large], asked })),
  ),
  'with the default bucket': BUCKETS.flatMap((rest) =>
    [true, false].map((isAlways) => ({ buckets: [large, small], asked: 'ab', rest: { ...rest, isAlways } })),
  ),
  'one that is only counted': [
    { buckets: [shadow, large], asked: 'ab' },
    { buckets: [large, shadow], asked: 'ab' },
    { buckets: [{ ...shadow, fill: 2 }, large], asked: 'ab' },
    { buckets: [large, { ...shadow, fill: 2 }], asked: 'ab' },
  ],
}
/** Which headers requests have: all, until somebody refuses, then fewer, to see what is left of each. */
const REQUESTS = ['abc', 'abc', 'abc', 'a', 'b', 'c', 'a', 'b']

const all = Object.values(CASES).flat()
const portOf = (one: Case) => FIRST_PORT + all.indexOf(one)
const tokens = ({ size, fill }: Bucket) => ({ max_tokens: size, tokens_per_fill: fill, fill_interval: '36000s' })

function limitOf({ buckets, asked, rest }: Case): object {
  const always = { default_value: { numerator: 100 } }
  const descriptors = buckets.map((bucket, i) => ({
    entries: [{ key: 'abc'[i], value: '1' }],
    token_bucket: tokens(bucket),
    ...(bucket.isShadow && { shadow_mode: true }),
  }))
  return typed('filters.http.local_ratelimit.v3.LocalRateLimit', {
    stat_prefix: 's',
    filter_enabled: always,
    filter_enforced: always,
    enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
    // The order in which they are written is of no account.
    descriptors: descriptors.reverse(),
    rate_limits: [...asked].map((key) => ({
      actions: [{ request_headers: { header_name: `x-${key}`, descriptor_key: key } }],
    })),
    ...(rest && { token_bucket: tokens(rest), always_consume_default_token_bucket: rest.isAlways }),
  })
}

/** Each case has a port of its own. */
function listener(address: string, one: Case): object {
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    http_filters: [
      { name: 'envoy.filters.http.local_ratelimit', typed_config: limitOf(one) },
      { name: 'router', typed_config: typed('filters.http.router.v3.Router') },
    ],
    route_config: {
      virtual_hosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] },
      ],
    },
  })
  return {
    name: String(portOf(one)),
    address: { socket_address: { address, port_value: portOf(one) } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

beforeAll(async () => {
  if (envoy === undefined) return
  await pair.start(envoy, all.map(portOf), (address) => all.map((one) => listener(address, one)), [])
}, 60_000)
afterAll(() => pair.stop(), 20_000)

/** What each request of a case is told: the status, the size of a bucket, and what it has left. */
async function answersOf(host: string, one: Case): Promise<string[]> {
  const answers: string[] = []
  for (const keys of REQUESTS) {
    const fields = [...keys].map((key): [string, string] => [`x-${key}`, '1'])
    const response = await fetch(`http://${host}:${portOf(one)}/`, { headers: fields })
    await response.arrayBuffer()
    const [limit, remaining] = ['limit', 'remaining'].map((name) => response.headers.get(`x-ratelimit-${name}`) ?? '-')
    answers.push(`${keys}: ${response.status} ${remaining}/${limit}`)
  }
  return answers
}

withEnvoy.each(Object.entries(CASES))(
  '%s',
  async (_, cases) => {
    const { lateen, envoy } = pair.hosts
    const told = await Promise.all(
      cases.map(async (one) => {
        const [ours, theirs] = await Promise.all([answersOf(lateen, one), answersOf(envoy, one)])
        expect({ one, answers: ours }).toEqual({ one, answers: theirs })
        return theirs
      }),
    )
    // Some pass and some do not, else nothing is compared.
    const statuses = new Set(told.flat().map((answer) => answer.split(' ')[1]))
    expect([...statuses].sort()).toEqual(['200', '429'])
  },
  60_000,
)
