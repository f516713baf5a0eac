import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { COUNTING_RULES, counted, countOf } from '../../support/counting-mixer.ts'
import { eventually } from '../../support/eventually.ts'
import { MixerChild } from '../../support/mixer-child.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP2, listener, resources, tcpChain, typed } from '../../support/static-resources.ts'

/** What our proxy reports of requests and connections to a mixer in a process of its own, which is killed and comes back. */

const WRITTEN = 'access_logs.grpc_access_log.logs_written'
const DROPPED = 'access_logs.grpc_access_log.logs_dropped'
/** Batches that a sink keeps for a server that is away. */
const MAX_WAITING = 64
const OUTAGE_MS = 1500

const mixer = new MixerChild(COUNTING_RULES)
const upstream = createHttpServer((_request, response) => response.end('ok'))
const ECHOED = 'seven b'
const bytes = createServer((socket) => socket.on('data', () => socket.end(ECHOED)))
let upstreamPort = 0
let bytesPort = 0

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

beforeAll(async () => {
  await mixer.start()
  upstreamPort = await listening(upstream)
  bytesPort = await listening(bytes)
}, 30_000)

afterAll(async () => {
  upstream.close()
  upstream.closeAllConnections()
  bytes.close()
  await mixer.stop()
}, 20_000)

/** `batching`: fields of the log's common_config. */
function served(batching: object): string {
  const log = (type: 'Http' | 'Tcp') => ({
    access_log: [
      {
        name: 'als',
        typed_config: typed(`access_loggers.grpc.v3.${type}GrpcAccessLogConfig`, {
          common_config: {
            log_name: 'mixer',
            transport_api_version: 'V3',
            grpc_service: { envoy_grpc: { cluster_name: 'mixer' } },
            ...batching,
          },
        }),
      },
    ],
  })
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'up' } }]
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    ...log('Http'),
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
  })
  const listeners = [
    listener('http', { filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] }),
    listener('tcp', { filter_chains: [tcpChain('bytes', {}, log('Tcp'))] }),
  ]
  const clusters = [
    cluster('up', [upstreamPort]),
    cluster('bytes', [bytesPort]),
    cluster('mixer', [mixer.port], { ...HTTP2, connect_timeout: '0.5s' }),
  ]
  return resources(listeners, clusters)
}

async function withProxy(batching: object, use: (proxy: BootstrapProxy) => Promise<void>): Promise<void> {
  const proxy = await new BootstrapProxy().serve(served(batching))
  try {
    await use(proxy)
  } finally {
    proxy.close()
  }
}

function get(proxy: BootstrapProxy, path: string) {
  return sendRaw('127.0.0.1', proxy.port('http'), `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`)
}

function pass(proxy: BootstrapProxy, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(proxy.port('tcp'), '127.0.0.1', () => socket.write(text))
    socket.on('error', reject).on('close', () => resolve())
    socket.resume()
  })
}

/** Requests until it is over, from so many clients; how each was answered. */
async function load(proxy: BootstrapProxy, path: string, isOver: () => boolean) {
  const all: { status: number; tookMs: number }[] = []
  const client = async () => {
    while (!isOver()) {
      const sentMs = performance.now()
      const { status } = await get(proxy, path)
      all.push({ status, tookMs: performance.now() - sentMs })
    }
  }
  await Promise.all(Array.from({ length: 4 }, client))
  return all
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('as many entries as requests and connections', async () => {
  await withProxy({ buffer_flush_interval: '0.1s', buffer_size_bytes: 700 }, async (proxy) => {
    for (let i = 0; i < 50; i++) await Promise.all([get(proxy, '/one'), get(proxy, '/two')])
    for (let i = 0; i < 10; i++) await pass(proxy, 'three')
    await eventually(() => expect(proxy.stat(WRITTEN)).toBe(110))
    expect(proxy.stat(DROPPED)).toBe(0)
    const page = await mixer.scraped()
    expect(countOf(page, 'calls', { path: '/one', code: '200' })).toBe(50)
    expect(countOf(page, 'calls', { path: '/two', code: '200' })).toBe(50)
    const sizes = { received: '5', sent: `${ECHOED.length}` }
    expect(countOf(page, 'connections', sizes)).toBe(10)
    expect([countOf(page, 'calls'), countOf(page, 'connections')]).toEqual([100, 10])
  })
}, 30_000)

test('the mixer is killed and comes back under load', async () => {
  await withProxy({ buffer_flush_interval: '0.05s' }, async (proxy) => {
    let isOver = false
    const running = load(proxy, '/load', () => isOver)
    await eventually(() => expect(proxy.stat(WRITTEN)).toBeGreaterThan(0))
    await mixer.kill()
    await sleep(OUTAGE_MS)
    // All that the killed one took is told by now.
    const taken = proxy.stat(WRITTEN)
    await mixer.start()
    await eventually(() => expect(proxy.stat(WRITTEN)).toBeGreaterThan(taken))
    isOver = true
    const all = await running
    expect([...new Set(all.map(({ status }) => status))]).toEqual([200])
    // Nobody waits for a mixer that is away: its clients' patience alone would be half a second.
    expect(Math.max(...all.map(({ tookMs }) => tookMs))).toBeLessThan(OUTAGE_MS)
    await eventually(() => expect(proxy.stat(WRITTEN) + proxy.stat(DROPPED)).toBe(all.length))
    expect(countOf(await mixer.scraped(), 'calls', { path: '/load' })).toBe(proxy.stat(WRITTEN) - taken)
  })
}, 60_000)

test('of what a mixer that is away does not take, the newest is kept', async () => {
  await mixer.kill()
  // Each entry is a batch.
  await withProxy({ buffer_size_bytes: 1 }, async (proxy) => {
    const sent = MAX_WAITING + 36
    for (let i = 0; i < sent; i++) await get(proxy, `/kept-${i}`)
    await eventually(() => expect(proxy.stat(DROPPED)).toBe(sent - MAX_WAITING))
    await mixer.start()
    await eventually(() => expect(proxy.stat(WRITTEN)).toBe(MAX_WAITING))
    const paths = counted(await mixer.scraped(), 'calls').map(({ labels }) => labels.path ?? '')
    const numbers = paths.map((path) => Number(path.slice('/kept-'.length))).sort((a, b) => a - b)
    expect(numbers).toEqual(Array.from({ length: MAX_WAITING }, (_, i) => sent - MAX_WAITING + i))
    expect(proxy.stat(DROPPED)).toBe(sent - MAX_WAITING)
  })
}, 60_000)
