import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { offer } from './offered-load.ts'

/** A proxy with two worker threads: a limit is that of all of them together, however much is asked for. */

const WORKERS = 2
const HOST = `${loopbackBlock()}.1`
const [PORT, ADMIN] = [9080, 15000]
const LIMIT = { perSecond: 200, burst: 50 }
const OVERLOAD = 10
const LOAD_MS = 4_000
/** Of what should have been let through. */
const TOLERANCE = 0.02

const TYPE = 'type.googleapis.com/envoy.extensions.filters'
const always = { default_value: { numerator: 100 } }
const address = (port_value: number) => ({ socket_address: { address: HOST, port_value } })
const limit = {
  '@type': `${TYPE}.http.local_ratelimit.v3.LocalRateLimit`,
  stat_prefix: 'limit',
  token_bucket: { max_tokens: LIMIT.burst, tokens_per_fill: LIMIT.perSecond, fill_interval: '1s' },
  filter_enabled: always,
  filter_enforced: always,
  // What callers have each for itself.
  rate_limits: [{ actions: [{ request_headers: { header_name: 'x-user', descriptor_key: 'user' } }] }],
  descriptors: [
    { entries: [{ key: 'user' }], token_bucket: { max_tokens: 7, tokens_per_fill: 1, fill_interval: '3600s' } },
  ],
}
const manager = {
  '@type': `${TYPE}.network.http_connection_manager.v3.HttpConnectionManager`,
  stat_prefix: 'in',
  http_filters: [
    { name: 'envoy.filters.http.local_ratelimit', typed_config: limit },
    { name: 'envoy.filters.http.router', typed_config: { '@type': `${TYPE}.http.router.v3.Router` } },
  ],
  route_config: {
    name: 'r',
    virtual_hosts: [
      { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] },
    ],
  },
}
const listener = {
  name: 'l',
  address: address(PORT),
  filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
}

let proxy: ChildProcess
let dir = ''

beforeAll(async () => {
  const cli = builtCli()
  dir = mkdtempSync(join(tmpdir(), 'lateen-limit-'))
  const bootstrap = {
    node: { id: 'n', cluster: 'c' },
    admin: { address: address(ADMIN) },
    static_resources: { listeners: [listener] },
  }
  writeFileSync(join(dir, 'proxy.json'), JSON.stringify(bootstrap))
  const args = ['proxy', '-c', join(dir, 'proxy.json'), '--workers', String(WORKERS), '--drain-time-s', '0']
  proxy = spawn(process.execPath, [cli, ...args], { stdio: 'ignore' })
  await eventually(async () => expect((await sendRaw(HOST, ADMIN, line('/ready'))).status).toBe(200))
}, 60_000)

afterAll(async () => {
  const exited = new Promise((resolve) => proxy.once('exit', resolve))
  proxy.kill('SIGTERM')
  await exited
  rmSync(dir, { recursive: true, force: true })
})

const line = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: app\r\n${fields}Connection: close\r\n\r\n`

async function stat(name: string): Promise<number> {
  const { body } = await sendRaw(HOST, ADMIN, line(`/stats?filter=${name}`))
  const found = body.split('\n').find((text) => text.startsWith(`${name}:`))
  return Number(found?.split(': ')[1] ?? 0)
}

test('each caller has a bucket over all workers', async () => {
  for (const user of ['a', 'b']) {
    const ask = () => sendRaw(HOST, PORT, line('/', `x-user: ${user}\r\n`))
    const statuses = await Promise.all(Array.from({ length: 40 }, async () => (await ask()).status))
    expect(statuses.filter((status) => status === 200)).toHaveLength(7)
  }
})

test(`${OVERLOAD} times the limit: what is let through is the limit`, async () => {
  // The bucket is full again by then.
  await new Promise((resolve) => setTimeout(resolve, (LIMIT.burst / LIMIT.perSecond) * 1000 + 100))
  const { passed, refused, elapsedMs } = await offer(HOST, PORT, LIMIT.perSecond * OVERLOAD, LOAD_MS)
  const wanted = LIMIT.burst + (LIMIT.perSecond * elapsedMs) / 1000
  const offered = passed + refused
  process.stderr.write(
    `offered ${offered} in ${elapsedMs.toFixed(0)} ms over ${WORKERS} workers: ${passed} passed, ${wanted.toFixed(1)} wanted\n`,
  )
  expect(offered).toBeGreaterThan((LIMIT.perSecond * OVERLOAD * LOAD_MS * 0.5) / 1000)
  expect(Math.abs(passed - wanted) / wanted).toBeLessThan(TOLERANCE)
  const counters = ['enabled', 'ok', 'enforced'].map((name) => stat(`limit.http_local_rate_limit.${name}`))
  const [enabled, ok, enforced] = (await Promise.all(counters)) as [number, number, number]
  expect([enabled, ok]).toEqual([offered + 80, passed + 14])
  expect(enforced).toBe(refused + 66)
}, 30_000)
