import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../../peers/peers.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster } from '../../support/static-resources.ts'
import { StaticPair } from '../static-pair.ts'

/** Limits of connections, faults by the request and CORS, on real Envoy and on our proxy. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const TYPE = 'type.googleapis.com/envoy.extensions.filters'
const PORT = {
  faults: 25_100,
  cors: 25_101,
  network: 25_102,
  listener: 25_103,
  connection: 25_104,
  upstream: 25_105,
} as const

const pair = new StaticPair()
const upstream = new EchoServer('up')
const always = { default_value: { numerator: 100 } }
/** One is for the test that the port is open. */
const bucket = { max_tokens: 3, tokens_per_fill: 1, fill_interval: '3600s' }
const limitOf = (kind: string, fields: object = {}) => ({
  name: `envoy.filters.${kind}.local_ratelimit`,
  typed_config: {
    '@type': `${TYPE}.${kind}.local_ratelimit.v3.LocalRateLimit`,
    stat_prefix: 's',
    token_bucket: bucket,
    ...fields,
  },
})
const header = { percentage: { numerator: 100 } }
const fault = {
  name: 'envoy.filters.http.fault',
  typed_config: {
    '@type': `${TYPE}.http.fault.v3.HTTPFault`,
    delay: { header_delay: {}, ...header },
    abort: { header_abort: {}, ...header },
    headers: [{ name: 'x-spared', present_match: false }],
  },
}
const cors = { name: 'envoy.filters.http.cors', typed_config: { '@type': `${TYPE}.http.cors.v3.Cors` } }
const policy = {
  '@type': `${TYPE}.http.cors.v3.CorsPolicy`,
  allow_origin_string_match: [{ exact: 'http://a' }],
  allow_methods: 'GET,PUT',
  allow_headers: 'x-h',
  expose_headers: 'x-e',
  max_age: '60',
  allow_credentials: true,
  allow_private_network_access: true,
}

function listener(
  address: string,
  name: keyof typeof PORT,
  httpFilters: object[],
  more: { network?: object[]; listener?: object[] } = {},
) {
  const manager = {
    '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    http_filters: [...httpFilters, { name: 'router', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } }],
    route_config: {
      name,
      virtual_hosts: [
        {
          name,
          domains: ['*'],
          routes: [
            { match: { prefix: '/direct' }, direct_response: { status: 200 } },
            { match: { prefix: '/' }, route: { cluster: 'up' } },
          ],
          ...(name === 'cors' && { typed_per_filter_config: { 'envoy.filters.http.cors': policy } }),
        },
      ],
    },
  }
  return {
    name,
    address: { socket_address: { address, port_value: PORT[name] } },
    listener_filters: more.listener ?? [],
    filter_chains: [{ filters: [...(more.network ?? []), { name: 'http', typed_config: manager }] }],
  }
}

beforeAll(async () => {
  if (envoy === undefined) return
  await upstream.listen(PORT.upstream, '127.0.0.1')
  const perConnection = {
    filter_enabled: always,
    filter_enforced: always,
    local_rate_limit_per_downstream_connection: true,
  }
  await pair.start(
    envoy,
    Object.values(PORT).slice(0, -1),
    (address) => [
      listener(address, 'faults', [fault]),
      listener(address, 'cors', [cors]),
      listener(address, 'network', [], { network: [limitOf('network')] }),
      listener(address, 'listener', [], { listener: [limitOf('listener')] }),
      listener(address, 'connection', [limitOf('http', perConnection)]),
    ],
    [cluster('up', [PORT.upstream])],
  )
}, 60_000)
afterAll(async () => {
  await pair.stop()
  upstream.close()
}, 20_000)

type Fields = Readonly<Record<string, string>>
const text = (fields: Fields, method = 'GET', connection = 'close', path = '/') =>
  `${method} ${path} HTTP/1.1\r\nHost: h\r\n${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}Connection: ${connection}\r\n\r\n`

withEnvoy.each<Fields>([
  {},
  { 'x-envoy-fault-abort-request': '418' },
  { 'x-envoy-fault-abort-request': '99' },
  { 'x-envoy-fault-abort-request': '600' },
  { 'x-envoy-fault-abort-request': 'x' },
  { 'x-envoy-fault-abort-grpc-request': '5' },
  { 'x-envoy-fault-abort-request': '418', 'x-envoy-fault-abort-grpc-request': '5' },
  { 'x-envoy-fault-abort-request': '418', 'x-envoy-fault-abort-request-percentage': '0' },
  { 'x-envoy-fault-abort-request': '418', 'x-envoy-fault-abort-request-percentage': '200' },
  { 'x-envoy-fault-abort-request': '418', 'x-spared': '1' },
  { 'x-envoy-fault-delay-request': '30', 'x-envoy-fault-abort-request': '503' },
])('a fault that %j asks for', async (fields) => {
  const [ours, theirs] = await both((host) => sendRaw(host, PORT.faults, text(fields)))
  const shown = ({ status, body, headers }: typeof ours) => [
    status,
    headers['x-from-upstream'] ?? body,
    headers['grpc-status'],
    headers['grpc-message'],
  ]
  expect(shown(ours)).toEqual(shown(theirs))
})

withEnvoy.each<[string, Fields]>([
  ['GET', { origin: 'http://a' }],
  ['GET', { origin: 'http://b' }],
  ['OPTIONS', { origin: 'http://a' }],
  ['OPTIONS', { origin: 'http://a', 'access-control-request-method': 'PUT' }],
  ['OPTIONS', { origin: 'http://b', 'access-control-request-method': 'PUT' }],
  [
    'OPTIONS',
    { origin: 'http://a', 'access-control-request-method': 'PUT', 'access-control-request-private-network': 'true' },
  ],
  [
    'OPTIONS',
    { origin: 'http://a', 'access-control-request-method': 'PUT', 'access-control-request-private-network': 'no' },
  ],
])('CORS: %s with %j', async (method, fields) => {
  const [ours, theirs] = await both((host) => sendRaw(host, PORT.cors, text(fields, method)))
  const direct = await both((host) => sendRaw(host, PORT.cors, text(fields, method, 'close', '/direct')))
  const shown = ({ status, headers }: typeof ours) => [
    status,
    Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('access-control-'))),
  ]
  expect(shown(ours)).toEqual(shown(theirs))
  expect(shown(direct[0])).toEqual(shown(direct[1]))
})

withEnvoy.each(['network', 'listener'] as const)('connections by the %s filter', async (name) => {
  const [ours, theirs] = await both(async (host) => {
    const answers: string[] = []
    for (let i = 0; i < 4; i++) {
      const answer = sendRaw(host, PORT[name], text({}))
      answers.push(await answer.then(({ status }) => String(status)).catch(() => 'closed'))
    }
    return answers
  })
  expect(ours).toEqual(theirs)
  expect(ours).toEqual(['200', '200', 'closed', 'closed'])
})

withEnvoy('each connection has a bucket of its own', async () => {
  const [ours, theirs] = await both(async (host) => [await statuses(host, 4), await statuses(host, 4)])
  expect(ours).toEqual(theirs)
  expect(ours[1]).toEqual(['200', '200', '200', '429'])
})

/** Of so many requests on one connection. */
function statuses(host: string, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(PORT.connection, host, () => {
      socket.write(text({}, 'GET', 'keep-alive').repeat(count - 1) + text({}))
    })
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve([...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status as string)))
  })
}

/** Of ours, then of theirs. */
async function both<T>(ask: (host: string) => Promise<T>): Promise<[T, T]> {
  return [await ask(pair.hosts.lateen), await ask(pair.hosts.envoy)]
}
