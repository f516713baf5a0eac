import { createServer, type Server } from 'node:http'
import { connect, createServer as createHttp2Server, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { type Family, labelNames, parsePage, seriesSum } from '../../support/prometheus-page.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP_INSPECTOR, TLS_INSPECTOR, tcpChain, typed } from '../../support/static-resources.ts'
import { StaticPair } from '../static-pair.ts'

/** Real Envoy and our proxy have the same configuration and the same requests: what they say of them to Prometheus is the same. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const HTTP_PORT = 8100
const TCP_PORT = 8101
/** Nobody listens there. */
const CLOSED_PORT = 9

/** Families that are ours alone, and why. */
const OURS_ALONE: readonly (readonly [RegExp, string])[] = [
  [/^envoy_(cluster_)?http2_(protocol_error|flood)$/, 'Envoy has no sum of them'],
  [/^envoy_(cluster|listener)_ssl_/, 'Envoy makes them with a TLS context, which is not here'],
  [/^envoy_cluster_upstream_rq_retry_active$/, 'Envoy says only whether more retries may begin'],
  [/^envoy_tcp_downstream_cx_active$/, 'Envoy has it by listener only'],
  [/^envoy_overload_/, 'Envoy makes it with an overload manager; ours is always there'],
  [/^envoy_proxy_proto_/, 'Envoy makes them with the listener filter, which is not here'],
  [/^envoy_sds_key_rotation_/, 'Envoy has them for each secret'],
  [/^envoy_server_turn_waits$/, 'Envoy does not wait'],
  [/^envoy_server_fields_not_honoured$/, 'Envoy refuses what it does not know'],
]

const PAGES: Record<'envoy' | 'lateen', Map<string, Family>> = { envoy: new Map(), lateen: new Map() }
const pair = new StaticPair()
let server: Server | undefined
let server2: Http2Server | undefined

const HTTP2 = {
  'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': typed('upstreams.http.v3.HttpProtocolOptions', {
    explicit_http_config: { http2_protocol_options: {} },
  }),
}

function httpChain(): object {
  const routes = [
    { match: { path: '/ok' }, route: { cluster: 'up' } },
    { match: { path: '/http2' }, route: { cluster: 'up2' } },
    { match: { path: '/closed' }, route: { cluster: 'closed' } },
    { match: { path: '/unknown' }, route: { cluster: 'unknown' } },
    { match: { path: '/direct' }, direct_response: { status: 204 } },
    { match: { path: '/elsewhere' }, redirect: { path_redirect: '/ok' } },
  ]
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    route_config: { name: 'r', validate_clusters: false, virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  return { filters: [{ name: 'http', typed_config: manager }] }
}

/** Each with a connection of its own, and one of HTTP/2. */
const CALLS = 17 + 1

/** `[path, how often, body]`. */
const REQUESTS: readonly (readonly [string, number, string])[] = [
  ['/ok', 5, ''],
  ['/ok', 2, 'with a body'],
  ['/http2', 1, ''],
  ['/closed', 2, ''],
  ['/unknown', 1, ''],
  ['/direct', 3, ''],
  ['/elsewhere', 2, ''],
  ['/nowhere', 1, ''],
]

async function send(host: string): Promise<void> {
  for (const [path, times, body] of REQUESTS) {
    const head = body === '' ? `GET ${path} HTTP/1.1` : `POST ${path} HTTP/1.1\r\ncontent-length: ${body.length}`
    for (let i = 0; i < times; i++)
      await sendRaw(host, HTTP_PORT, `${head}\r\nhost: a\r\nconnection: close\r\n\r\n${body}`)
  }
  await askHttp2(host)
  await sendRaw(host, TCP_PORT, 'GET /ok HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
}

function askHttp2(host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${host}:${HTTP_PORT}`)
    session.on('error', reject)
    const stream = session.request({ ':path': '/direct' })
    stream.on('error', reject)
    stream.on('close', () => session.close(() => resolve()))
    stream.resume()
  })
}

beforeAll(async () => {
  if (envoy === undefined) return
  const upstream = createServer((request, response) => request.resume().on('end', () => response.end('hello')))
  server = upstream
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port } = upstream.address() as AddressInfo
  const upstream2 = createHttp2Server((request, response) => request.resume().on('end', () => response.end('hello')))
  server2 = upstream2
  await new Promise<void>((resolve) => upstream2.listen(0, '127.0.0.1', resolve))
  const port2 = (upstream2.address() as AddressInfo).port
  const breakers = { circuit_breakers: { thresholds: [{ track_remaining: true }] } }
  const at = (address: string, port_value: number) => ({ socket_address: { address, port_value } })
  await pair.start(
    envoy,
    [HTTP_PORT, TCP_PORT],
    (address) => [
      {
        name: 'http',
        address: at(address, HTTP_PORT),
        listener_filters: [TLS_INSPECTOR, HTTP_INSPECTOR],
        filter_chains: [httpChain()],
      },
      { name: 'tcp', address: at(address, TCP_PORT), filter_chains: [tcpChain('up')] },
    ],
    [
      cluster('up', [port], breakers),
      cluster('up2', [port2], { typed_extension_protocol_options: HTTP2 }),
      cluster('closed', [CLOSED_PORT]),
    ],
  )
  for (const [name, host] of Object.entries(pair.hosts)) {
    await send(host)
    await eventually(async () => {
      const page = parsePage(await pair.admin(host, '/stats/prometheus'))
      PAGES[name as 'envoy' | 'lateen'] = page
      // Envoy merges its threads' histograms now and then, and a closed connection is counted a moment later.
      const ended = seriesSum(page, 'envoy_http_downstream_cx_length_ms_count', H)
      const asked = seriesSum(page, 'envoy_http_downstream_rq_time_count', H)
      expect([ended, asked]).toEqual([CALLS, CALLS])
    }, 20_000)
  }
}, 60_000)

afterAll(async () => {
  await pair.stop()
  server?.closeAllConnections()
  server?.close()
  server2?.close()
})
/** Counted alike: the name, and by which of its labels. */
const H = { envoy_http_conn_manager_prefix: 'h' }
const UP = { envoy_cluster_name: 'up' }
const CLOSED = { envoy_cluster_name: 'closed' }
const COUNTED: readonly (readonly [string, Record<string, string>])[] = [
  ...[
    'downstream_cx_total',
    'downstream_cx_http2_total',
    'downstream_rq_total',
    'downstream_rq_completed',
    'downstream_rq_xx',
    'downstream_rq_time_count',
    'downstream_cx_length_ms_count',
    'rq_total',
    'no_route',
    'no_cluster',
    'rq_direct_response',
  ].map((name) => [`envoy_http_${name}`, H] as const),
  ...['2', '3', '4', '5'].map(
    (envoy_response_code_class) => ['envoy_http_downstream_rq_xx', { ...H, envoy_response_code_class }] as const,
  ),
  ...['upstream_cx_total', 'upstream_cx_connect_ms_count', 'upstream_rq_total', 'upstream_rq_time_count'].map(
    (name) => [`envoy_cluster_${name}`, UP] as const,
  ),
  ...[UP, CLOSED, { envoy_cluster_name: 'up2' }].flatMap((labels) =>
    ['upstream_rq_completed', 'upstream_rq_xx', 'upstream_cx_connect_fail', 'upstream_rq_pending_total'].map(
      (name) => [`envoy_cluster_${name}`, labels] as const,
    ),
  ),
  ['envoy_tcp_downstream_cx_total', {}],
  ['envoy_http_inspector_http11_found', {}],
  ['envoy_http_inspector_http2_found', {}],
  ['envoy_tls_inspector_tls_not_found', {}],
  ['envoy_cluster_manager_cluster_added', {}],
  ['envoy_cluster_manager_active_clusters', {}],
  ['envoy_listener_manager_listener_added', {}],
  ['envoy_listener_manager_total_listeners_active', {}],
  ['envoy_server_live', {}],
  ['envoy_server_state', {}],
  ['envoy_server_concurrency', {}],
  ['envoy_server_days_until_first_cert_expiring', {}],
]

withEnvoy('the same requests count alike', () => {
  const of = (page: ReadonlyMap<string, Family>) =>
    Object.fromEntries(
      COUNTED.map(([name, labels]) => [`${name} ${JSON.stringify(labels)}`, seriesSum(page, name, labels)]),
    )
  const theirs = of(PAGES.envoy)
  // A name that neither has would be equal, too.
  expect(Object.entries(theirs).filter(([, value]) => value === undefined)).toEqual([])
  expect(of(PAGES.lateen)).toEqual(theirs)
})

withEnvoy('every family of ours is one of Envoy with its type and labels, but for those that are ours alone', () => {
  const shape = (family: Family | undefined) => family && { type: family.type, labels: labelNames(family) }
  const named = [...PAGES.lateen.keys()].filter((name) => name.startsWith('envoy_'))
  const isOurs = (name: string) => OURS_ALONE.some(([pattern]) => pattern.test(name))
  const shared = named.filter((name) => !isOurs(name))
  const shapes = (page: ReadonlyMap<string, Family>) => shared.map((name) => [name, shape(page.get(name))])
  expect(shapes(PAGES.lateen)).toEqual(shapes(PAGES.envoy))
  expect(shared.length).toBeGreaterThan(100)
  // What Envoy has as well is not ours alone.
  expect(named.filter((name) => isOurs(name) && PAGES.envoy.has(name))).toEqual([])
  for (const [pattern] of OURS_ALONE) expect(named.some((name) => pattern.test(name))).toBe(true)
})

withEnvoy('/stats selects by a pattern, in text and in JSON, as Envoy does', async () => {
  const query = encodeURIComponent('^cluster\\.up\\.upstream_(rq_(total|2xx|time)|cx_connect_ms)$')
  const names = async (host: string) => {
    const text = await pair.admin(host, `/stats?filter=${query}`)
    const { stats } = JSON.parse(await pair.admin(host, `/stats?format=json&filter=${query}`))
    const last = stats.pop()
    return {
      text: text.split('\n').map((line) => line.replace(/\d+(\.\d+)?(?=[,)])|nan/g, '#')),
      json: stats,
      supported: last.histograms.supported_quantiles,
      histograms: last.histograms.computed_quantiles.map((one: { name: string; values: readonly object[] }) => [
        one.name,
        one.values.map((value) => Object.keys(value).sort()),
      ]),
    }
  }
  const theirs = await names(pair.hosts.envoy)
  expect(theirs.text.filter((line) => line.includes('P99.9'))).toHaveLength(2)
  expect(await names(pair.hosts.lateen)).toEqual(theirs)
})
