import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { POLL_MS } from '../../../proxy/upstream/host-watch.ts'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, forwardChain } from '../../support/static-resources.ts'

/** A proxy with three worker threads: what one of them finds out about a host is so for all of them. */

const WORKERS = 3
const block = loopbackBlock()
const PROXY = `${block}.1`
const ADMIN = 15000
const [EJECTS, CHECKS, HALF] = [8001, 8002, 8003]
/** Each has its own connection, so that all workers are asked: none is left out but once in 3^40 runs or so. */
const CONNECTIONS = 120
const THRESHOLD = 10

class Upstream {
  readonly server: Server
  status = 200
  asked = 0
  checks = 0

  constructor() {
    this.server = createServer((request, response) => {
      if (request.headers['user-agent'] === 'Envoy/HC') this.checks++
      else this.asked++
      response.writeHead(this.status, { 'x-who': String(this.port) })
      response.end()
    })
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }
}

const upstreams = Array.from({ length: 7 }, () => new Upstream())
const [bad, good, checked, ...four] = upstreams as [Upstream, Upstream, Upstream, ...Upstream[]]
let proxy: ChildProcess
let dir = ''
let log = ''

beforeAll(async () => {
  const cli = builtCli()
  for (const { server } of upstreams) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const at = (port_value: number) => ({ socket_address: { address: PROXY, port_value } })
  const listener = (port: number, to: string) => ({ name: to, address: at(port), filter_chains: [forwardChain(to)] })
  const panic = { common_lb_config: { healthy_panic_threshold: { value: 0 } } }
  const outlier_detection = {
    consecutive_5xx: THRESHOLD,
    interval: '0.2s',
    base_ejection_time: '1s',
    max_ejection_percent: 100,
  }
  const http_health_check = { path: '/check' }
  const check = {
    interval: '0.1s',
    no_traffic_interval: '0.1s',
    timeout: '1s',
    unhealthy_threshold: 1,
    healthy_threshold: 1,
  }
  const bootstrap = {
    node: { id: 'n', cluster: 'c' },
    admin: { address: at(ADMIN) },
    static_resources: {
      listeners: [listener(EJECTS, 'ejects'), listener(CHECKS, 'checks'), listener(HALF, 'half')],
      clusters: [
        cluster('ejects', [bad.port, good.port], { ...panic, outlier_detection }),
        cluster(
          'half',
          four.map(({ port }) => port),
          { ...panic, outlier_detection: { ...outlier_detection, consecutive_5xx: 3, max_ejection_percent: 50 } },
        ),
        cluster('checks', [checked.port], { ...panic, health_checks: [{ ...check, http_health_check }] }),
      ],
    },
  }
  dir = mkdtempSync(join(tmpdir(), 'lateen-host-health-'))
  writeFileSync(join(dir, 'proxy.json'), JSON.stringify(bootstrap))
  const args = ['proxy', '-c', join(dir, 'proxy.json'), '--workers', String(WORKERS), '--drain-time-s', '0']
  proxy = spawn(process.execPath, [cli, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  proxy.stderr?.on('data', (text) => {
    log += String(text)
  })
  await eventually(async () => expect((await sendRaw(PROXY, ADMIN, line('/ready'))).status).toBe(200))
}, 60_000)

afterAll(async () => {
  const exited = new Promise((resolve) => proxy.once('exit', resolve))
  proxy.kill('SIGTERM')
  await exited
  for (const { server } of upstreams) {
    server.closeAllConnections()
    server.close()
  }
  rmSync(dir, { recursive: true, force: true })
}, 20_000)

const line = (path: string) => `GET ${path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n`
const ask = (port: number) => sendRaw(PROXY, port, line('/'))
const all = (port: number, times: number) => Promise.all(Array.from({ length: times }, () => ask(port)))
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

async function flagsOf({ port }: Upstream): Promise<string | undefined> {
  const { body } = await sendRaw(PROXY, ADMIN, line('/clusters'))
  return new RegExp(`:${port}::health_flags::(.*)`).exec(body)?.[1]
}

async function stat(name: string): Promise<number> {
  const { body } = await sendRaw(PROXY, ADMIN, line(`/stats?filter=${name}`))
  const found = body.split('\n').filter((text) => text.split(':')[0]?.endsWith(name))
  return found.reduce((sum, text) => sum + Number(text.split(': ')[1]), 0)
}

test('failures that different workers see eject a host, for all of them, and for all of them it returns', async () => {
  bad.status = 500
  let failures = 0
  // One after the other, so that no more are under way when the last of the row comes.
  for (let i = 0; i < 200 && (await flagsOf(bad)) === 'healthy'; i++) {
    if ((await ask(EJECTS)).status === 500) failures++
  }
  expect(failures).toBe(THRESHOLD)
  await sleep(2 * POLL_MS)
  const before = bad.asked
  const statuses = (await all(EJECTS, CONNECTIONS)).map(({ status }) => status)
  expect(new Set(statuses)).toEqual(new Set([200]))
  expect(bad.asked).toBe(before)
  expect(await flagsOf(bad)).toBe('/failed_outlier_check')
  expect(await stat('outlier_detection.ejections_enforced_total')).toBe(1)
  expect(await stat('outlier_detection.ejections_active')).toBe(1)
  bad.status = 200
  await eventually(async () => expect(await flagsOf(bad)).toBe('healthy'))
  await eventually(async () => expect(await stat('outlier_detection.ejections_active')).toBe(0))
  await all(EJECTS, CONNECTIONS)
  expect(bad.asked).toBeGreaterThan(before)
  const events = log.split('\n').filter((text) => text.includes('"outlier detection"'))
  expect(events.map((text) => JSON.parse(text).action)).toEqual(['eject', 'uneject'])
}, 30_000)

test('one worker checks a host for all of them', async () => {
  await eventually(async () =>
    expect(new Set((await all(CHECKS, 30)).map(({ status }) => status))).toEqual(new Set([200])),
  )
  const [fromMs, from] = [Date.now(), checked.checks]
  await sleep(1000)
  const most = (Date.now() - fromMs) / 100
  expect(checked.checks - from).toBeLessThanOrEqual(most + 1)
  expect(checked.checks - from).toBeGreaterThan(2)
  checked.status = 500
  await eventually(async () => expect(await flagsOf(checked)).toBe('/failed_active_hc'))
  await sleep(2 * POLL_MS)
  expect(new Set((await all(CHECKS, CONNECTIONS)).map(({ status }) => status))).toEqual(new Set([503]))
  checked.status = 200
  await eventually(async () => expect(await flagsOf(checked)).toBe('healthy'))
  await sleep(2 * POLL_MS)
  expect(new Set((await all(CHECKS, CONNECTIONS)).map(({ status }) => status))).toEqual(new Set([200]))
}, 30_000)

test('all workers together eject no more than may be', async () => {
  const ejected = async () => {
    const flags = await Promise.all(four.map((upstream) => flagsOf(upstream)))
    return flags.filter((text) => text !== 'healthy').length
  }
  for (let round = 0; round < 3; round++) {
    for (const upstream of four) upstream.status = 500
    await all(HALF, 4 * CONNECTIONS)
    expect(await ejected()).toBe(2)
    for (const upstream of four) upstream.status = 200
    // So that no row of failures is left half done.
    await all(HALF, CONNECTIONS)
    await eventually(async () => expect(await ejected()).toBe(0))
    await all(HALF, CONNECTIONS)
  }
}, 60_000)
