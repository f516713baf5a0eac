import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { peerOrSkip } from '../../peers/peers.ts'
import { eventually } from '../../support/eventually.ts'
import { HttpLoad } from '../../support/http-load.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { cluster, listener, typed } from '../../support/static-resources.ts'
import { XdsServer } from '../../support/xds-server.ts'
import { StaticPair } from '../static-pair.ts'
import { likeness, type Shares } from './likeness.ts'
import { type Case, priorities, randomCase } from './random-assignment.ts'

/** Real Envoy and our proxy get the same endpoints, with priorities, localities, weights and health, and send alike. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const PORT = 8080
const RANDOM_CASES = 30
const REQUESTS = 2_000
/** Enough to tell 7% from 8%. */
const MANY = 16_000

const block = loopbackBlock()
const addressOf = (host: number) => `${block}.${10 + host}`
const random = seededRandom(seed)
const pair = new StaticPair()
const server = new XdsServer()
let upstream: Server
const cases: Case[] = []
const loads: Record<'envoy' | 'lateen', HttpLoad | undefined> = { envoy: undefined, lateen: undefined }

/** Hosts by priority: how many, how many of them healthy and how many degraded; and the load of each in per cents. */
interface Vector {
  readonly groups: readonly (readonly [hosts: number, healthy: number, degraded?: number])[]
  readonly load: readonly number[]
  readonly panicThreshold?: number
  readonly requests?: number
}

/** From the tables of Envoy's documentation, with what its code makes of them where that rounds otherwise. */
const VECTORS: readonly Vector[] = [
  {
    groups: [
      [100, 72],
      [100, 72],
    ],
    load: [100, 0],
  },
  {
    groups: [
      [100, 71],
      [100, 71],
    ],
    load: [99, 1],
  },
  {
    groups: [
      [20, 10],
      [20, 12],
    ],
    load: [70, 30],
  },
  {
    groups: [
      [20, 5],
      [20, 20],
    ],
    load: [35, 65],
  },
  {
    groups: [
      [20, 5],
      [20, 5],
    ],
    load: [50, 50],
  },
  // The documentation says 7 and 93.
  {
    groups: [
      [20, 1],
      [20, 13],
    ],
    load: [8, 92],
    requests: MANY,
  },
  {
    groups: [
      [20, 5],
      [20, 5],
      [20, 20],
    ],
    load: [35, 35, 30],
  },
  // The documentation says 36, 36 and 28.
  {
    groups: [
      [20, 5],
      [20, 5],
      [20, 4],
    ],
    load: [37, 35, 28],
    panicThreshold: 0,
    requests: MANY,
  },
  {
    groups: [
      [20, 5, 13],
      [20, 20],
    ],
    load: [35, 65],
  },
  { groups: [[20, 5, 13]], load: [100] },
]

beforeAll(async () => {
  if (envoy === undefined) return
  upstream = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    response.setHeader('x-from-upstream', request.socket.localAddress ?? '')
    response.end()
  })
  await new Promise<void>((resolve) => upstream.listen(0, '0.0.0.0', resolve))
  const { port } = upstream.address() as AddressInfo
  for (const { groups, panicThreshold } of VECTORS) cases.push(priorities(groups, addressOf, port, panicThreshold))
  for (let i = 0; i < RANDOM_CASES; i++) cases.push(randomCase(random, addressOf, port))
  await server.start()
  for (const [i, { assignment }] of cases.entries()) server.set('endpoint', `c${i}`, assignment)
  const clusters = cases.map(({ cluster: fields }, i) => ({
    name: `c${i}`,
    type: 'EDS',
    eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } },
    ...fields,
  }))
  const options = typed('upstreams.http.v3.HttpProtocolOptions', {
    explicit_http_config: { http2_protocol_options: {} },
  })
  const xds = cluster('xds', [server.port], {
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': options },
  })
  const ads = {
    api_type: 'DELTA_GRPC',
    transport_api_version: 'V3',
    grpc_services: [{ envoy_grpc: { cluster_name: 'xds' } }],
  }
  const others = () => ({ dynamic_resources: { ads_config: ads } })
  await pair.start(envoy, [PORT], listeners, [xds, ...clusters], [], others)
  for (const plane of ['envoy', 'lateen'] as const) loads[plane] = new HttpLoad(pair.hosts[plane], PORT)
  // Endpoints come after the listener, and nobody can be chosen before.
  await eventually(async () => {
    for (const plane of ['envoy', 'lateen'] as const) {
      for (const [i] of VECTORS.entries()) expect((await send(plane, i, 1))['']).toBeUndefined()
    }
  })
}, 60_000)

afterAll(async () => {
  for (const load of Object.values(loads)) load?.close()
  await pair.stop()
  server.stop()
  upstream?.closeAllConnections()
  upstream?.close()
}, 20_000)

function listeners(address: string): object[] {
  const routes = cases.map((_, i) => ({ match: { prefix: `/${i}/` }, route: { cluster: `c${i}` } }))
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  const at = { socket_address: { address, port_value: PORT } }
  return [listener('in', { address: at, filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] })]
}

async function send(plane: 'envoy' | 'lateen', index: number, count: number): Promise<Shares> {
  const { byServer, errors } = await (loads[plane] as HttpLoad).run(count, () => ({ host: 'h', path: `/${index}/` }))
  for (const error of errors) if (!error.startsWith('status 503 no healthy upstream')) throw new Error(error)
  return errors.length === 0 ? byServer : { ...byServer, '': errors.length }
}

/** What each priority of a vector got, in per cents. */
function byPriority(shares: Shares, { assignment }: Case): number[] {
  const groups = assignment.endpoints as { lb_endpoints: { endpoint: { address: object } }[] }[]
  const total = Object.values(shares).reduce((sum, count) => sum + count, 0)
  return groups.map(({ lb_endpoints }) => {
    const addresses = lb_endpoints.map(({ endpoint }) => JSON.stringify(endpoint.address))
    const got = Object.entries(shares).filter(([host]) => addresses.some((address) => address.includes(`"${host}"`)))
    return (100 * got.reduce((sum, [, count]) => sum + count, 0)) / total
  })
}

withEnvoy.each(VECTORS.map((vector, i) => ({ ...vector, i })))(
  'the load of priorities $load of hosts, healthy, degraded $groups',
  async ({ load, i, requests = REQUESTS }) => {
    for (const plane of ['envoy', 'lateen'] as const) {
      const got = byPriority(await send(plane, i, requests), cases[i] as Case)
      for (const [priority, share] of load.entries()) {
        // Beyond lies one of 100,000; where all or nothing is to come, all or nothing must.
        const bound = 4.5 * Math.sqrt((share * (100 - share)) / requests)
        const within = Math.abs((got[priority] as number) - share) <= bound
        expect({ plane, got, within }).toEqual({ plane, got, within: true })
      }
    }
  },
  120_000,
)

withEnvoy(
  `each host gets the same share by real Envoy and by our proxy, in ${RANDOM_CASES} random cases (seed ${seed})`,
  async () => {
    const unlike: object[] = []
    let answered = 0
    for (let i = VECTORS.length; i < cases.length; i++) {
      const theirs = await send('envoy', i, REQUESTS)
      const ours = await send('lateen', i, REQUESTS)
      const { chiSquare, bound } = likeness(theirs, ours)
      if (theirs[''] === undefined) answered++
      if (chiSquare > bound) unlike.push({ seed, chiSquare, bound, theirs, ours, ...cases[i] })
    }
    expect(unlike).toEqual([])
    // Most cases must be about more than who has no hosts.
    expect(answered).toBeGreaterThan(RANDOM_CASES / 2)
  },
  180_000,
)
