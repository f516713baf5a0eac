import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { StaticPair } from '../../differential/static-pair.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { DENY_RULE, pod, rateLimitRule } from '../../support/mixer-config.ts'
import { MixerProcess } from '../../support/mixer-process.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP2, typed } from '../../support/static-resources.ts'

/** Istio's sample policies, asked of our mixer by real Envoy; the one that denies by our own proxy too. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const UPSTREAM_PORT = 7790
const RATINGS_PORT = 7791
const PRODUCTPAGE_PORT = 7792
const NETWORK_BLOCK = '127.19.7'
const REVIEWS_V3 = `${NETWORK_BLOCK}.3`
const REVIEWS_V2 = `${NETWORK_BLOCK}.2`

const upstream = new EchoServer('up')
const pair = new StaticPair()
/** Ratings runs where the proxies listen. */
const ratings = Object.values(pair.hosts).map((host, i) => pod(`ratings-${i}`, host, { app: 'ratings' }))
const mixer = new MixerProcess({
  'deny.yaml': DENY_RULE,
  'limit.yaml': rateLimitRule(),
  'pods.yaml': [
    ...ratings,
    pod('reviews-v3', REVIEWS_V3, { app: 'reviews', version: 'v3' }),
    pod('reviews-v2', REVIEWS_V2, { app: 'reviews', version: 'v2' }),
  ].join(''),
})

const service = { envoy_grpc: { cluster_name: 'mixer' } }
const authz = {
  name: 'envoy.filters.http.ext_authz',
  typed_config: typed('filters.http.ext_authz.v3.ExtAuthz', {
    grpc_service: { ...service, timeout: '2s' },
    transport_api_version: 'V3',
  }),
}
const limit = {
  name: 'envoy.filters.http.ratelimit',
  typed_config: typed('filters.http.ratelimit.v3.RateLimit', {
    domain: 'mixer',
    timeout: '2s',
    failure_mode_deny: true,
    rate_limit_service: { grpc_service: service, transport_api_version: 'V3' },
  }),
}
/** Their keys are the names of attributes. */
const actions = [
  { generic_key: { descriptor_key: 'destination.labels[app]', descriptor_value: 'productpage' } },
  {
    request_headers: {
      header_name: 'x-forwarded-for',
      descriptor_key: 'request.headers[x-forwarded-for]',
      skip_if_absent: true,
    },
  },
  { destination_cluster: {} },
]

const CLUSTER = 'outbound|9080||productpage.default.svc.cluster.local'

function listener(address: string, port: number, filter: object, route: object): object {
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    use_remote_address: false,
    http_filters: [filter, { name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route }] }] },
  })
  return {
    name: `at ${port}`,
    address: { socket_address: { address, port_value: port } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

beforeAll(async () => {
  if (envoy === undefined) return
  await upstream.listen(UPSTREAM_PORT, '127.0.0.1')
  await mixer.listen()
  await pair.start(
    envoy,
    [RATINGS_PORT],
    (address) => [
      listener(address, RATINGS_PORT, authz, { cluster: 'up' }),
      // Our proxy has no such filter.
      ...(address === pair.hosts.envoy
        ? [listener(address, PRODUCTPAGE_PORT, limit, { cluster: CLUSTER, rate_limits: [{ actions }] })]
        : []),
    ],
    [cluster('up', [UPSTREAM_PORT]), cluster(CLUSTER, [UPSTREAM_PORT]), cluster('mixer', [mixer.port], HTTP2)],
  )
}, 60_000)

afterAll(async () => {
  upstream.close()
  await pair.stop()
  await mixer.close()
}, 20_000)

function ask(host: string, port: number, from = '127.0.0.1', fields: readonly string[] = []) {
  const lines = ['GET / HTTP/1.1', 'host: a.test', 'connection: close', ...fields]
  return sendRaw(host, port, `${lines.join('\r\n')}\r\n\r\n`, from)
}

withEnvoy.each(['envoy', 'lateen'] as const)('the rule that denies holds through %s', async (proxy) => {
  const host = pair.hosts[proxy]
  const denied = await ask(host, RATINGS_PORT, REVIEWS_V3)
  expect([denied.status, denied.body]).toEqual([403, 'PERMISSION_DENIED:denyreviewsv3handler.default:Not allowed'])
  expect((await ask(host, RATINGS_PORT, REVIEWS_V2)).status).toBe(200)
  expect((await ask(host, RATINGS_PORT)).status).toBe(200)
})

withEnvoy(
  'productpage takes two requests in five seconds through Envoy, for each of those who call',
  async () => {
    const host = pair.hosts.envoy
    const statuses = async (...fields: string[]) => {
      const found: number[] = []
      for (let i = 0; i < 4; i++) found.push((await ask(host, PRODUCTPAGE_PORT, '127.0.0.1', fields)).status)
      return found
    }
    expect(await statuses()).toEqual([200, 200, 429, 429])
    expect(await statuses('x-forwarded-for: 10.9.9.9')).toEqual([200, 200, 429, 429])
    // The one to whom another limit applies.
    expect(await statuses('x-forwarded-for: 10.28.11.20')).toEqual([200, 200, 200, 200])
    await new Promise((resolve) => setTimeout(resolve, 5_300))
    expect(await statuses()).toEqual([200, 200, 429, 429])
  },
  20_000,
)
