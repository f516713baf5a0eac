import { create, toJson } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { RouteMatchSchema } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { HttpFilterSchema } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { REGISTRY } from '../../../api/registry.ts'
import { MemorySource } from '../../../config/sources/memory.ts'
import { randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { Memo } from '../../../pilot/memo.ts'
import { buildGeneration } from '../../../pilot/mesh/generation.ts'
import { DEFAULT_MESH_OPTIONS } from '../../../pilot/mesh/options.ts'
import { workloadSecurity } from '../../../pilot/mesh/workload-security.ts'
import { routeMatch } from '../../../pilot/translate/route/match.ts'
import { httpSecurityFilters } from '../../../pilot/translate/security/filters.ts'
import { securityPlan } from '../../../pilot/translate/security/plan.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, typed } from '../../support/static-resources.ts'
import { outcomeOf } from '../outcome.ts'
import { StaticPair } from '../static-pair.ts'
import { type Configuration, randomConfiguration } from './configurations.ts'
import { type JwtRequest, randomJwtRequest } from './requests.ts'

/**
 * Tokens, good and bad, under RequestAuthentications as our pilot translates them: what real Envoy and our proxy answer, and
 * what the upstream sees.
 */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const CONFIGURATIONS = 20
const REQUESTS = 30
const MAX_SHOWN = 50
const FIRST_PORT = 7800
const UPSTREAM_PORT = 7799

const random = seededRandom(seed)
const configurations = Array.from({ length: CONFIGURATIONS }, () => randomConfiguration(random))
const upstream = new EchoServer('up')
const pair = new StaticPair()

beforeAll(async () => {
  if (envoy === undefined) return
  await upstream.listen(UPSTREAM_PORT, '127.0.0.1')
  const ports = configurations.map((_, i) => FIRST_PORT + i)
  await pair.start(
    envoy,
    ports,
    (address) => configurations.map((one, i) => listenerOf(address, FIRST_PORT + i, one)),
    [cluster('up', [UPSTREAM_PORT])],
  )
}, 60_000)

afterAll(async () => {
  upstream.close()
  await pair.stop()
}, 20_000)

/** The filters that the pilot gives a gateway under this policy. */
function filtersOf({ rules }: Configuration): object[] {
  const object = {
    apiVersion: 'security.istio.io/v1',
    kind: 'RequestAuthentication',
    metadata: { name: 'tokens', namespace: 'default' },
    spec: { jwtRules: rules },
  }
  const { objects, findings } = new MemorySource({ 'policy.yaml': JSON.stringify(object) }).current()
  expect(findings).toEqual([])
  const generation = buildGeneration(objects, 1, DEFAULT_MESH_OPTIONS, new Memo())
  const security = securityPlan(workloadSecurity('default', {}, generation), generation.keys)
  if (security === undefined) throw new Error('no policy')
  return httpSecurityFilters(security, DEFAULT_MESH_OPTIONS, 'gateway').map(
    (filter) => toJson(HttpFilterSchema, filter, { registry: REGISTRY }) as object,
  )
}

/** Routes by claims, as a VirtualService writes them. */
const CLAIM_ROUTES = {
  admins: { headers: { '@request.auth.claims.group': { exact: 'admin' } } },
  deep: { headers: { '@request.auth.claims[nested][key]': { prefix: 'de' } } },
  readers: { headers: { '@request.auth.claims.scope': { exact: 'read' } } },
  nobody: { withoutHeaders: { '@request.auth.claims.sub': { regex: '.*' } } },
  others: {},
}

function listenerOf(address: string, port: number, configuration: Configuration): object {
  const routes = Object.entries(CLAIM_ROUTES).map(([name, match]) => ({
    match: toJson(RouteMatchSchema, create(RouteMatchSchema, routeMatch(match))),
    route: { cluster: 'up' },
    request_headers_to_add: [{ header: { key: 'x-route', value: name } }],
  }))
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    normalize_path: true,
    http_filters: [
      ...filtersOf(configuration),
      { name: 'router', typed_config: typed('filters.http.router.v3.Router') },
    ],
    route_config: { name: 'r', virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
  })
  return {
    name: `l${port}`,
    address: { socket_address: { address, port_value: port } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

async function send(host: string, port: number, { method, path, headers }: JwtRequest) {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'host: shop.test',
    'connection: close',
    ...(method === 'POST' ? ['content-length: 0'] : []),
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]
  const outcome = outcomeOf(await sendRaw(host, port, `${lines.join('\r\n')}\r\n\r\n`))
  // Envoy sorts the parameters that are left when one is taken out.
  const [plain, query = ''] = outcome.path.split('?')
  return { ...outcome, path: `${plain}?${query.split('&').sort().join('&')}` }
}

withEnvoy(
  `${CONFIGURATIONS * REQUESTS} pairs of policy and request (seed ${seed})`,
  async () => {
    const differences: unknown[] = []
    const statuses: Record<string, number> = {}
    for (const [i, configuration] of configurations.entries()) {
      const requests = Array.from({ length: REQUESTS }, () => randomJwtRequest(configuration, random))
      await Promise.all(
        requests.map(async (request) => {
          const port = FIRST_PORT + i
          const [theirs, ours] = await Promise.all([
            send(pair.hosts.envoy, port, request),
            send(pair.hosts.lateen, port, request),
          ])
          const answer = `${theirs.status} ${theirs.body}`
          statuses[answer] = (statuses[answer] ?? 0) + 1
          try {
            expect(ours).toEqual(theirs)
          } catch (thrown) {
            differences.push({ rules: configuration.rules, request, difference: (thrown as Error).message })
          }
        }),
      )
    }
    if (differences.length > 0) {
      const shown = differences.slice(0, MAX_SHOWN).map((one) => JSON.stringify(one, null, 1))
      throw new Error(`${differences.length} differ, seed ${seed}:\n${shown.join('\n').replaceAll('\\n', '\n')}`)
    }
    // All sorts of answers were given.
    expect(Object.keys(statuses).length).toBeGreaterThan(15)
  },
  180_000,
)
