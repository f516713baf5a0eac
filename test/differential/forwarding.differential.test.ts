import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { cluster, typed } from '../support/static-resources.ts'
import { StaticPair } from './static-pair.ts'

/** Whom real Envoy and our proxy take for the client, and what they believe and pass on of what it says of itself. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test

const INSIDE = {
  internal_address_config: {
    cidr_ranges: [
      { address_prefix: '127.0.0.0', prefix_len: 8 },
      { address_prefix: '10.0.0.0', prefix_len: 8 },
    ],
  },
}
const MANAGERS = [true, false].flatMap((use_remote_address) =>
  [0, 1, 2].flatMap((xff_num_trusted_hops) =>
    [{}, INSIDE, { skip_xff_append: true }].map((more) => ({ use_remote_address, xff_num_trusted_hops, ...more })),
  ),
)
const FIRST_PORT = 7800
const PORTS = MANAGERS.map((_, i) => FIRST_PORT + i)

const LISTS = [
  undefined,
  '203.0.113.7',
  '10.1.1.1',
  '203.0.113.128, 203.0.113.10, 10.1.1.1',
  '10.1.1.1, 203.0.113.10',
  'junk',
  '1.2.3.4,',
  ',1.2.3.4',
  '1.2.3.4, [::1]:80',
  '2001:DB8::0:1',
  '1.2.3.4:80',
]
const CLAIMS = [
  'internal force-trace ip-tags original-url decorator-operation downstream-service-cluster downstream-service-node',
  'original-path original-host external-address',
].flatMap((names) => names.split(' ').map((name) => `x-envoy-${name}: theirs`))
const PROTOS = [undefined, 'https', 'HTTPS', 'ftp', 'https,http']

const requests = [
  ...LISTS.map((list) => [...CLAIMS, 'x-request-id: theirs', 'x-forwarded-proto: https', ...xff(list)]),
  ...PROTOS.map((proto) => (proto === undefined ? [] : [`x-forwarded-proto: ${proto}`])),
]

function xff(list: string | undefined): string[] {
  return list === undefined ? [] : [`x-forwarded-for: ${list}`]
}

const pair = new StaticPair()
const server = createServer({ keepAliveTimeout: 0 }, (request, response) =>
  response.end(JSON.stringify(request.headers)),
)

beforeAll(async () => {
  if (envoy === undefined) return
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const upstream = cluster('up', [(server.address() as AddressInfo).port])
  await pair.start(envoy, PORTS, (address) => MANAGERS.map((fields, i) => listenerOf(address, i, fields)), [upstream])
}, 60_000)

afterAll(async () => {
  agent.destroy()
  server.close()
  await pair.stop()
}, 20_000)

function listenerOf(address: string, index: number, fields: object): object {
  const value = '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%'
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: {
      virtual_hosts: [
        {
          name: 'v',
          domains: ['*'],
          routes: [
            { match: { prefix: '/redirect' }, redirect: { path_redirect: '/there' } },
            { match: { prefix: '/' }, route: { cluster: 'up' } },
          ],
        },
      ],
      request_headers_to_add: [{ header: { key: 'x-client', value } }],
    },
    ...fields,
  })
  return {
    name: `l${index}`,
    address: { socket_address: { address, port_value: FIRST_PORT + index } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

/** Envoy holds a connection that it closes open for a while: these stay. */
const agent = new Agent({ keepAlive: true })

function get(
  host: string,
  port: number,
  path: string,
  lines: readonly string[],
): Promise<{ location?: string; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = lines.map((line) => line.split(': ') as [string, string])
    const asked = request({ host, port, path, headers: [['Host', 'h'], ...headers].flat(), agent }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += chunk
      })
      const { location } = response.headers
      response.on('end', () => resolve({ ...(location !== undefined && { location }), body }))
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** What a plane passes on, and what it takes the scheme for. */
async function ask(host: string, port: number, lines: readonly string[]): Promise<object> {
  const headers = JSON.parse((await get(host, port, '/', lines)).body) as Record<string, string>
  const { location } = await get(host, port, '/redirect', lines)
  const kept = Object.entries(headers).filter(([name]) => name.startsWith('x-envoy-') || name === 'x-client')
  return {
    ...Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1))),
    'x-forwarded-proto': headers['x-forwarded-proto'],
    isOwnRequestId: headers['x-request-id'] === 'theirs',
    // The last entry is a loopback address, which Envoy does not write.
    'x-forwarded-for': headers['x-forwarded-for']?.split(',').length,
    location,
  }
}

withEnvoy.each(MANAGERS.map((manager, i) => [JSON.stringify(manager), FIRST_PORT + i] as const))(
  'with %s both take the same client, and believe the same',
  async (_manager, port) => {
    for (const lines of requests) {
      const [theirs, ours] = await Promise.all([
        ask(pair.hosts.envoy, port, lines),
        ask(pair.hosts.lateen, port, lines),
      ])
      expect({ lines, ...ours }).toEqual({ lines, ...theirs })
    }
  },
  60_000,
)
