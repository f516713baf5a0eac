import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect, createServer as createSocketServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { sendRaw } from '../support/raw-http.ts'
import { ScriptedBackend } from '../support/scripted-backend.ts'
import { cluster, typed } from '../support/static-resources.ts'
import { StaticPair } from './static-pair.ts'

/** How calls end, as the logs of real Envoy and of our proxy have it. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const PORT = 7870
const PLANES = ['envoy', 'lateen'] as const
type Plane = (typeof PLANES)[number]

const backend = new ScriptedBackend()
const denier = createServer((_request, response) => response.writeHead(403).end('no'))
const pair = new StaticPair()
const dir = mkdtempSync(join(tmpdir(), 'lateen-endings-'))
const fileOf = (host: string) => join(dir, host)

const percent = { numerator: 100 }
const FAULT = 'envoy.filters.http.fault'
const LIMIT = 'envoy.filters.http.local_ratelimit'
const AUTHZ = 'envoy.filters.http.ext_authz'
const fault = (fields: object) => ({ [FAULT]: typed('filters.http.fault.v3.HTTPFault', fields) })

interface Ending {
  readonly script?: string
  /** What its route does: to the backend where it says nothing of a cluster; undefined: there is no route. */
  readonly route?: object
  readonly action?: object
  readonly filters?: object
  /** The client goes away after so long. */
  readonly leavesMs?: number
  /** What ours says where it is not the same (docs/reference/differences-from-envoy.md). */
  readonly ours?: string
}

const ENDINGS: Readonly<Record<string, Ending>> = {
  ok: {},
  'upstream-404': { script: '404' },
  'no-route': { route: {} },
  'no-cluster': { action: { cluster: 'missing' } },
  'no-host': { action: { cluster: 'empty' } },
  refused: { action: { cluster: 'dead' }, ours: '503 UF upstream_reset_before_response_started' },
  overflow: { action: { cluster: 'full' } },
  timeout: { script: 'slow', action: { timeout: '0.3s' } },
  'per-try-timeout': { script: 'slow', action: { retry_policy: { num_retries: 0, per_try_timeout: '0.3s' } } },
  'timeout-after-head': { script: 'slow-body', action: { timeout: '0.3s' } },
  idle: { script: 'slow', action: { idle_timeout: '0.3s' } },
  'reset-before-head': { script: 'reset' },
  'reset-after-head': {
    script: 'cut',
    ours: '200 UC upstream_reset_after_response_started{connection_termination}',
  },
  'retries-exhausted': { script: '503', action: { retry_policy: { retry_on: '5xx', num_retries: 1 } } },
  'client-gone': { script: 'slow', leavesMs: 300 },
  'fault-abort': { filters: fault({ abort: { http_status: 418, percentage: percent } }) },
  'fault-delay': { filters: fault({ delay: { fixed_delay: '0.1s', percentage: percent } }) },
  'rate-limited': {
    filters: {
      [LIMIT]: typed('filters.http.local_ratelimit.v3.LocalRateLimit', {
        stat_prefix: 'l',
        token_bucket: { max_tokens: 1, tokens_per_fill: 1, fill_interval: '3600s' },
        descriptors: [],
        filter_enabled: { default_value: percent },
        filter_enforced: { default_value: percent },
      }),
    },
  },
  denied: { filters: { [AUTHZ]: typed('filters.http.ext_authz.v3.ExtAuthzPerRoute', { check_settings: {} }) } },
  'direct-response': { route: { direct_response: { status: 202, body: { inline_string: 'direct' } } } },
  redirect: { route: { redirect: { host_redirect: 'elsewhere' } } },
}

function routeOf(name: string, { route, action, filters }: Ending): object[] {
  if (route !== undefined && Object.keys(route).length === 0) return []
  const disabled = { [AUTHZ]: typed('filters.http.ext_authz.v3.ExtAuthzPerRoute', { disabled: true }) }
  return [
    {
      match: { path: `/${name}` },
      ...(route ?? { route: { cluster: 'up', ...action } }),
      typed_per_filter_config: { ...disabled, ...filters },
    },
  ]
}

function listenerOf(address: string): object {
  const inline_string = '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_SENT% %RESPONSE_CODE_DETAILS%\n'
  const log_format = { text_format_source: { inline_string } }
  const authz = typed('filters.http.ext_authz.v3.ExtAuthz', {
    http_service: { server_uri: { uri: 'http://denier', cluster: 'denier', timeout: '2s' } },
  })
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    access_log: [
      { name: 'f', typed_config: typed('access_loggers.file.v3.FileAccessLog', { path: fileOf(address), log_format }) },
    ],
    http_filters: [
      { name: FAULT, typed_config: typed('filters.http.fault.v3.HTTPFault') },
      { name: LIMIT, typed_config: typed('filters.http.local_ratelimit.v3.LocalRateLimit', { stat_prefix: 'l' }) },
      { name: AUTHZ, typed_config: authz },
      { name: 'envoy.filters.http.router', typed_config: typed('filters.http.router.v3.Router') },
    ],
    route_config: {
      name: 'r',
      validate_clusters: false,
      virtual_hosts: [
        { name: 'v', domains: ['*'], routes: Object.entries(ENDINGS).flatMap(([name, one]) => routeOf(name, one)) },
      ],
    },
  })
  return {
    name: 'in',
    address: { socket_address: { address, port_value: PORT } },
    filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
  }
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

beforeAll(async () => {
  if (envoy === undefined) return
  const up = await backend.listen()
  const unused = createSocketServer()
  const dead = await listening(unused)
  unused.close()
  const fields = { connect_timeout: '2s', max_requests_per_connection: 1 }
  const none = { max_connections: 0, max_pending_requests: 0, max_requests: 0 }
  const clusters = [
    cluster('up', [up], fields),
    cluster('dead', [dead], fields),
    cluster('empty', [], fields),
    cluster('full', [up], { ...fields, circuit_breakers: { thresholds: [none] } }),
    cluster('denier', [await listening(denier)], fields),
  ]
  await pair.start(envoy, [PORT], (address) => [listenerOf(address)], clusters)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  backend.close()
  denier.close()
  rmSync(dir, { recursive: true, force: true })
}, 20_000)

async function send(host: string, name: string, { script = '200', leavesMs }: Ending): Promise<void> {
  const fields = [`GET /${name} HTTP/1.1`, 'host: a', 'connection: close', `x-case: ${name}`, `x-script: ${script}`]
  const text = `${fields.join('\r\n')}\r\n\r\n`
  if (leavesMs === undefined) {
    await sendRaw(host, PORT, text)
    return
  }
  const socket = connect(PORT, host, () => socket.write(text))
  await new Promise((resolve) => setTimeout(resolve, leavesMs))
  socket.destroy()
}

/** By the path, what is written of its last call. */
async function written(host: string): Promise<ReadonlyMap<string, string>> {
  await fetch(`http://${host}:15000/reopen_logs`, { method: 'POST' })
  const lines = readFileSync(fileOf(host), 'latin1').split('\n').slice(0, -1)
  return new Map(lines.map((line) => [line.slice(1, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]))
}

withEnvoy(
  'every ending has the same code, flags, bytes and details',
  async () => {
    const names = Object.keys(ENDINGS)
    for (const plane of PLANES) {
      const host = pair.hosts[plane]
      // The limit's first token.
      await send(host, 'rate-limited', {})
      await Promise.all(names.map((name) => send(host, name, ENDINGS[name] as Ending)))
    }
    const found = { envoy: new Map<string, string>(), lateen: new Map<string, string>() }
    for (const plane of PLANES) {
      await eventually(async () => expect((await written(pair.hosts[plane])).size).toBe(names.length), 20_000)
      found[plane] = new Map(await written(pair.hosts[plane]))
    }
    const isAlike = (name: string) => ENDINGS[name]?.ours === undefined
    const alike = (plane: Plane) => Object.fromEntries([...found[plane]].filter(([name]) => isAlike(name)))
    expect(alike('lateen')).toEqual(alike('envoy'))
    for (const name of names.filter((one) => !isAlike(one))) {
      // Texts of errors are of other lengths.
      const [status, flags, , details] = found.lateen.get(name)?.split(' ') ?? []
      expect([name, status, flags, details]).toEqual([name, ...(ENDINGS[name]?.ours ?? '').split(' ')])
      expect(found.envoy.get(name)).not.toBe(found.lateen.get(name))
    }
  },
  60_000,
)
