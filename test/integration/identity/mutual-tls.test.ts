import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent as HttpAgent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { systemClock } from '../../../lib/clock.ts'
import { silentLogger } from '../../../lib/log.ts'
import { MetricStore } from '../../../lib/metrics/store.ts'
import { type Ca, openCa } from '../../../pilot/ca/open.ts'
import { Agent } from '../../../proxy/agent/agent.ts'
import { parseBootstrap } from '../../../proxy/agent/bootstrap.ts'
import { eventually } from '../../support/eventually.ts'
import { grpcSecret } from '../../support/secrets.ts'
import { cluster, downstreamTls, forwardChain, listener, typed, upstreamTls } from '../../support/static-resources.ts'

/**
 * Two proxies whose agents have certificates of one authority: reviews calls ratings by mutual TLS, each knows the other by
 * name, and certificates are renewed while they talk.
 */

const LIFE_SECONDS = 4
const folder = mkdtempSync(join(tmpdir(), 'lateen-mutual-'))
const file = (name: string) => join(folder, name)
const idOf = (account: string) => `spiffe://cluster.local/ns/default/sa/${account}`

let ca: Ca
let caPort: number
const agents: Agent[] = []

beforeAll(async () => {
  mkdirSync(file('tokens/default'), { recursive: true })
  for (const account of ['reviews', 'ratings', 'stranger']) {
    writeFileSync(file(`tokens/default/${account}`), randomBytes(32).toString('base64'))
  }
  ca = openCa(
    {
      address: '',
      dir: file('ca'),
      trustDomain: 'cluster.local',
      serverNames: ['127.0.0.1'],
      tokensDir: file('tokens'),
      serviceAccounts: undefined,
    },
    { clock: systemClock, log: silentLogger, metrics: new MetricStore() },
  )
  caPort = await ca.server.listen('127.0.0.1:0')
})

afterAll(async () => {
  for (const agent of agents) await agent.stop(0)
  ca.close()
  rmSync(folder, { recursive: true })
})

async function startAgent(account: string, staticResources: object): Promise<Agent> {
  const identity = {
    caAddress: `127.0.0.1:${caPort}`,
    caRootFile: file('ca/root-cert.pem'),
    tokenFile: file(`tokens/default/${account}`),
    lifeSeconds: LIFE_SECONDS,
  }
  const text = JSON.stringify({ node: { id: account, cluster: 'test' }, static_resources: staticResources })
  const agent = new Agent(parseBootstrap(text, account), account, { log: silentLogger, identity })
  agents.push(agent)
  await agent.start()
  await eventually(() => expect(agent.isReady).toBe(true))
  return agent
}

/** As Istio writes it: by the names of SDS, and who is expected. */
function meshTls(expected: readonly string[]): object {
  const sds = (name: string) => grpcSecret(name, 'sds-grpc')
  const match_typed_subject_alt_names = expected.map((account) => ({
    san_type: 'URI',
    matcher: { exact: idOf(account) },
  }))
  return {
    tls_certificate_sds_secret_configs: [sds('default')],
    combined_validation_context: {
      default_validation_context: { match_typed_subject_alt_names },
      validation_context_sds_secret_config: sds('ROOTCA'),
    },
  }
}

/** Answers those callers, and no others. */
function ratings(callers: readonly string[]): Promise<Agent> {
  const answer = { direct_response: { status: 200, body: { inline_string: 'hello' } } }
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, ...answer }] }] },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  const transport_socket = downstreamTls(meshTls(callers), { require_client_certificate: true })
  const chain = { filters: [{ name: 'http', typed_config: manager }], transport_socket }
  return startAgent('ratings', { listeners: [listener('in', { filter_chains: [chain] })] })
}

function caller(account: string, port: number, callee: string): Promise<Agent> {
  const transport_socket = upstreamTls(meshTls([callee]))
  return startAgent(account, {
    listeners: [listener('out', { filter_chains: [forwardChain('up')] })],
    clusters: [cluster('up', [port], { transport_socket })],
  })
}

const portOf = (agent: Agent, name: string) => agent.planes.listeners().find((one) => one.name === name)?.port as number

function get(port: number, agent?: HttpAgent): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, ...(agent && { agent }) }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode ?? 0))
    })
    asked.on('error', reject)
    asked.end()
  })
}

const metricOf = (agent: Agent, name: string) =>
  agent.planes.metrics.all().find((metric) => metric.name === name)?.value ?? 0

test('each knows the other by the name in its certificate, and who is not expected gets nowhere', async () => {
  const server = await ratings(['reviews'])
  const port = portOf(server, 'in')
  const friend = await caller('reviews', port, 'ratings')
  expect(await get(portOf(friend, 'out'))).toBe(200)
  // A workload of the mesh, but not one that may call.
  const stranger = await caller('stranger', port, 'ratings')
  expect(await get(portOf(stranger, 'out'))).toBe(503)
  // Somebody else answers where ratings should.
  const deceived = await caller('reviews', port, 'reviews')
  expect(await get(portOf(deceived, 'out'))).toBe(503)
}, 60_000)

test('certificates are renewed several times while requests go on, and none fails', async () => {
  const server = await ratings(['reviews'])
  const client = await caller('reviews', portOf(server, 'in'), 'ratings')
  const port = portOf(client, 'out')
  const statuses = new Map<number, number>()
  const kept = new HttpAgent({ keepAlive: true, maxSockets: 4 })
  let isOver = false
  const load = async (agent?: HttpAgent) => {
    while (!isOver) {
      const status = await get(port, agent)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  const loads = [load(kept), load(kept), load(), load()]
  await eventually(() => {
    for (const agent of [server, client])
      expect(metricOf(agent, 'workload_identity.renewals')).toBeGreaterThanOrEqual(4)
  }, 60_000)
  isOver = true
  await Promise.all(loads)
  kept.destroy()
  expect([...statuses.keys()]).toEqual([200])
  expect(metricOf(client, 'workload_identity.renewal_failures')).toBe(0)
}, 90_000)
