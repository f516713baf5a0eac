import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { RateLimitServer } from '../../support/rate-limit-server.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP2, typed } from '../../support/static-resources.ts'
import { outcomeOf } from '../outcome.ts'
import { StaticPair } from '../static-pair.ts'

/** Limits that a server keeps: what real Envoy and ours tell the same one, and what they make of its answers. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const UPSTREAM_PORT = 25_200
const FIRST_PORT = 25_201
const service = (name = 'limits') => ({
  grpc_service: { envoy_grpc: { cluster_name: name } },
  transport_api_version: 'V3',
})
const base = { domain: 'd', timeout: '0.3s', rate_limit_service: service() }
const CASES = {
  open: base,
  closed: { ...base, failure_mode_deny: true },
  closed503: { ...base, failure_mode_deny: true, status_on_error: { code: 'ServiceUnavailable' } },
  down: { ...base, rate_limit_service: service('nowhere') },
  downClosed: { ...base, rate_limit_service: service('nowhere'), failure_mode_deny: true },
  told: {
    ...base,
    enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
    rate_limited_status: { code: 'ServiceUnavailable' },
    rate_limited_as_resource_exhausted: true,
    response_headers_to_add: [
      { header: { key: 'x-limited', value: '%PROTOCOL%' } },
      { header: { key: 'x-from-limits', value: 'c' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    ],
  },
  quiet: { ...base, disable_x_envoy_ratelimited_header: true, rate_limited_status: { code: 'OK' }, stat_prefix: 'p' },
  second: { ...base, stage: 2 },
  internal: { ...base, request_type: 'internal' },
  external: { ...base, request_type: 'external' },
}
type Case = keyof typeof CASES
const portOf = (name: Case) => FIRST_PORT + Object.keys(CASES).indexOf(name)

const upstream = new EchoServer('up')
const server = new RateLimitServer()
const pair = new StaticPair()

const key = (descriptor_key: string, descriptor_value: string) => ({
  generic_key: { descriptor_key, descriptor_value },
})
const byHeader = (header_name: string, descriptor_key: string, skip_if_absent = false) => ({
  request_headers: { header_name, descriptor_key, skip_if_absent },
})
const CASE = byHeader('x-case', 'case')
const OF_HOST = { actions: [key('of', 'host')] }

const ROUTES = [
  {
    match: { prefix: '/many' },
    route: {
      cluster: 'up',
      rate_limits: [
        {
          actions: [
            key('of', 'route'),
            byHeader('x-a', 'a', true),
            { destination_cluster: {} },
            { source_cluster: {} },
          ],
        },
        { actions: [byHeader('x-a', 'a')] },
        { actions: [CASE, { query_parameters: { query_parameter_name: 'q', descriptor_key: 'q' } }] },
        {
          actions: [
            { header_value_match: { descriptor_value: 'posted', headers: [{ name: ':method', exact_match: 'POST' }] } },
          ],
        },
      ],
    },
  },
  {
    match: { prefix: '/both' },
    route: { cluster: 'up', rate_limits: [{ actions: [CASE] }] },
    typed_per_filter_config: perRoute({ vh_rate_limits: 'INCLUDE', domain: 'other' }),
  },
  {
    match: { prefix: '/neither' },
    route: { cluster: 'up' },
    typed_per_filter_config: perRoute({ vh_rate_limits: 'IGNORE' }),
  },
  { match: { prefix: '/host' }, route: { cluster: 'up' } },
  { match: { prefix: '/direct' }, direct_response: { status: 204 } },
  {
    match: { prefix: '/staged' },
    route: {
      cluster: 'up',
      rate_limits: [{ stage: 2, actions: [CASE] }, { stage: 3, actions: [key('of', 'third')] }, OF_HOST],
    },
  },
  { match: { prefix: '/' }, route: { cluster: 'up', rate_limits: [{ actions: [CASE] }] } },
]

beforeAll(async () => {
  if (envoy === undefined) return
  await upstream.listen(UPSTREAM_PORT, '127.0.0.1')
  await pair.start(
    envoy,
    Object.keys(CASES).map((name) => portOf(name as Case)),
    (address) => Object.keys(CASES).map((name) => listenerOf(address, name as Case)),
    [cluster('up', [UPSTREAM_PORT]), cluster('limits', [await server.listen()], HTTP2), cluster('nowhere', [1], HTTP2)],
  )
}, 60_000)

afterAll(async () => {
  upstream.close()
  server.close()
  await pair.stop()
}, 20_000)

function perRoute(fields: object): object {
  return { 'envoy.filters.http.ratelimit': typed('filters.http.ratelimit.v3.RateLimitPerRoute', fields) }
}

function listenerOf(address: string, name: Case): object {
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    http_filters: [
      { name: 'envoy.filters.http.ratelimit', typed_config: typed('filters.http.ratelimit.v3.RateLimit', CASES[name]) },
      { name: 'router', typed_config: typed('filters.http.router.v3.Router') },
    ],
    route_config: {
      name: 'r',
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: ROUTES, rate_limits: [OF_HOST] }],
    },
  })
  return {
    name,
    address: { socket_address: { address, port_value: portOf(name) } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

async function ask(host: string, name: Case, path: string, headers: readonly string[], method: string) {
  const before = server.told.length
  const lines = [`${method} ${path} HTTP/1.1`, 'host: shop.test', 'connection: close', ...headers]
  const outcome = outcomeOf(await sendRaw(host, portOf(name), `${lines.join('\r\n')}\r\n\r\n`))
  return { ...outcome, told: server.told.slice(before) }
}

const counted = { envoy: {} as Record<string, number>, lateen: {} as Record<string, number> }

withEnvoy.each<[Case, string, string, string[], string?]>([
  ['open', 'ok', '/', []],
  ['open', 'unknown', '/', []],
  ['open', 'over', '/', []],
  ['open', 'over', '/', ['content-type: application/grpc']],
  ['open', 'over_body', '/', []],
  ['open', 'over_headers', '/', []],
  ['open', 'headers', '/', ['x-from-limits: mine']],
  ['open', 'statuses', '/', []],
  ['open', 'error', '/', []],
  ['open', 'silence', '/', []],
  ['open', 'ok', '/many?q=1&q=2', ['x-a: b, c', 'x-a: d']],
  ['open', 'ok', '/many', [], 'POST'],
  ['open', 'over', '/both', []],
  ['open', 'ok', '/neither', []],
  ['open', 'ok', '/host', []],
  ['open', 'over', '/direct', []],
  ['open', 'over', '/staged', []],
  ['second', 'over', '/staged', []],
  ['second', 'ok', '/', []],
  ['closed', 'error', '/', []],
  ['closed', 'error', '/', ['content-type: application/grpc']],
  ['closed', 'silence', '/', []],
  ['closed503', 'error', '/', []],
  ['down', 'ok', '/', []],
  ['downClosed', 'ok', '/', []],
  ['told', 'statuses', '/', ['x-ratelimit-limit: mine']],
  ['told', 'over_statuses', '/', []],
  ['told', 'over_headers', '/', []],
  ['told', 'over', '/', ['content-type: application/grpc']],
  ['told', 'ok', '/', []],
  ['quiet', 'over', '/', []],
  ['internal', 'over', '/', []],
  ['internal', 'over', '/', ['x-envoy-internal: true']],
  ['external', 'over', '/', []],
])('%s: a server that answers %s to %s with %j', async (name, answer, path, fields, method = 'GET') => {
  const headers = [...fields, `x-case: ${answer}`]
  const theirs = await ask(pair.hosts.envoy, name, path, headers, method)
  const ours = await ask(pair.hosts.lateen, name, path, headers, method)
  expect(ours).toEqual(theirs)
})

withEnvoy('they count the same', async () => {
  for (const proxy of ['envoy', 'lateen'] as const) {
    counted[proxy] = await pair.stats(pair.hosts[proxy], 'up', 'ratelimit')
  }
  expect(counted.lateen).toEqual(counted.envoy)
  expect(counted.lateen).toMatchObject({ 'p.over_limit': 1, failure_mode_allowed: 3 })
})
