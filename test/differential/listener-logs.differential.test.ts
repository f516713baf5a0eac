import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { peerOrSkip } from '../peers/peers.ts'
import { eventually } from '../support/eventually.ts'
import { cluster, TLS_INSPECTOR, typed } from '../support/static-resources.ts'
import { StaticPair } from './static-pair.ts'

/** What a listener's own access log says of connections: of those that nothing served, and of those that something did. */

const envoy = peerOrSkip('envoy')
const withEnvoy = envoy === undefined ? test.skip : test
const FIRST_PORT = 7872

interface Case {
  readonly listener: object
  readonly sent: string
  /** What ours says where it is not the same (docs/reference/differences-from-envoy.md). */
  readonly ours?: string
}

const REQUEST = 'GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n'
const tcp = (upstream: string) => ({
  name: 'tcp',
  typed_config: typed('filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: 't', cluster: upstream }),
})
const http = {
  name: 'http',
  typed_config: typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    http_filters: [{ name: 'envoy.filters.http.router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: {
      name: 'r',
      virtual_hosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, direct_response: { status: 200 } }] },
      ],
    },
  }),
}
const PROXY_PROTOCOL = { name: 'p', typed_config: typed('filters.listener.proxy_protocol.v3.ProxyProtocol') }

const CASES: Readonly<Record<string, Case>> = {
  'no chain takes it': {
    listener: {
      listener_filters: [TLS_INSPECTOR],
      filter_chains: [{ filter_chain_match: { transport_protocol: 'tls' }, filters: [tcp('up')] }],
    },
    sent: REQUEST,
  },
  'a listener filter refuses it': {
    listener: { listener_filters: [PROXY_PROTOCOL], filter_chains: [{ filters: [tcp('up')] }] },
    sent: REQUEST,
  },
  'a connection manager serves it': {
    listener: { filter_chains: [{ filters: [http] }] },
    sent: REQUEST,
    ours: '- 0 - 0 0 - - - HOST:7874 127.0.0.1',
  },
  'a TCP proxy serves it': { listener: { filter_chains: [{ filters: [tcp('up')] }] }, sent: 'four' },
  'a TCP proxy has no host': { listener: { filter_chains: [{ filters: [tcp('empty')] }] }, sent: 'four' },
}
const NAMES = Object.keys(CASES)
const PORTS = NAMES.map((_, i) => FIRST_PORT + i)

/** Answers with what it got, and closes. */
const echo = createServer((socket) => socket.once('data', (bytes) => socket.end(bytes)).on('error', () => {}))
const pair = new StaticPair()
const dir = mkdtempSync(join(tmpdir(), 'lateen-listener-logs-'))
const fileOf = (host: string, port: number) => join(dir, `${host}-${port}`)

function listenerOf(address: string, name: string, port: number): object {
  const inline_string =
    '%RESPONSE_FLAGS% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %PROTOCOL% ' +
    '%REQ(:PATH)% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\n'
  const log_format = { text_format_source: { inline_string } }
  const log = typed('access_loggers.file.v3.FileAccessLog', { path: fileOf(address, port), log_format })
  return {
    name,
    address: { socket_address: { address, port_value: port } },
    access_log: [{ name: 'f', typed_config: log }],
    ...CASES[name]?.listener,
  }
}

beforeAll(async () => {
  if (envoy === undefined) return
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  const { port } = echo.address() as { port: number }
  const clusters = [cluster('up', [port], { connect_timeout: '2s' }), cluster('empty', [], { connect_timeout: '2s' })]
  const listeners = (address: string) => NAMES.map((name, i) => listenerOf(address, name, PORTS[i] as number))
  // The last one resets whoever looks whether it listens.
  await pair.start(envoy, PORTS.slice(0, -1), listeners, clusters)
}, 60_000)

afterAll(async () => {
  await pair.stop()
  echo.close()
  rmSync(dir, { recursive: true, force: true })
}, 20_000)

async function lines(host: string, port: number): Promise<readonly string[]> {
  await fetch(`http://${host}:15000/reopen_logs`, { method: 'POST' })
  return readFileSync(fileOf(host, port), 'latin1').replaceAll(host, 'HOST').split('\n').slice(0, -1)
}

/** Sends, and waits until the proxy is done with the connection. */
function call(host: string, port: number, sent: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write(sent))
    socket.on('error', () => {}).on('close', () => resolve())
    socket.resume()
  })
}

withEnvoy.each(NAMES)('%s', async (name) => {
  const port = PORTS[NAMES.indexOf(name)] as number
  const last: Record<string, string | undefined> = {}
  for (const [plane, host] of Object.entries(pair.hosts)) {
    // Whoever looked whether it listens has left a line.
    if (port !== PORTS.at(-1)) await eventually(async () => expect(await lines(host, port)).not.toEqual([]), 10_000)
    const before = (await lines(host, port)).length
    await call(host, port, CASES[name]?.sent ?? '')
    await eventually(async () => expect((await lines(host, port)).length).toBeGreaterThan(before), 10_000)
    last[plane] = (await lines(host, port)).at(-1)
  }
  const { ours = last.envoy } = CASES[name] as Case
  expect(last.lateen).toBe(ours)
  expect(last.envoy).toMatch(/HOST:\d+ 127\./)
})
