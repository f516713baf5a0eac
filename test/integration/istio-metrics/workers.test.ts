import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { builtCli } from '../../e2e/built.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { parsePage, seriesSum } from '../../support/prometheus-page.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { bootstrap } from './resources.ts'

/** A proxy with two worker threads: what one page says is what both have counted, exactly. */

const HOST = `${loopbackBlock()}.5`
const PORTS = { tcp: 9000, http: 9001, admin: 15000 }
/** So many connections that, evenly spread, no worker gets none but once in 2^39 runs. */
const CONNECTIONS = 40
const BODY = '0123456789'

const tcp = createServer((socket) => socket.on('error', () => {}).end(BODY))
const http = createHttpServer((_, response) => response.end(BODY))
let proxy: ChildProcess
let dir = ''

beforeAll(async () => {
  const ports = await Promise.all(
    [tcp, http].map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return (server.address() as AddressInfo).port
    }),
  )
  dir = mkdtempSync(join(tmpdir(), 'lateen-istio-metrics-'))
  const file = join(dir, 'proxy.json')
  writeFileSync(file, bootstrap(HOST, PORTS, { tcp: ports[0] as number, http: ports[1] as number }))
  const args = [builtCli(), 'proxy', '-c', file, '--workers', '2', '--drain-time-s', '0', '--exit-with-parent']
  proxy = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] })
  await eventually(async () => expect((await admin('/ready')).status).toBe(200), 30_000)
}, 60_000)

afterAll(async () => {
  const exited = new Promise((resolve) => proxy.once('exit', resolve))
  proxy.kill('SIGTERM')
  await exited
  tcp.close()
  http.close()
  http.closeAllConnections()
  rmSync(dir, { recursive: true, force: true })
})

const line = (path: string) => `GET ${path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n`
const admin = (path: string) => sendRaw(HOST, PORTS.admin, line(path))

/** Reads what the server sends, to its end. */
function readAll(): Promise<number> {
  return new Promise((resolve, reject) => {
    let received = 0
    const socket = connect(PORTS.tcp, HOST)
    socket.on('error', reject)
    socket.on('data', (data) => {
      received += data.length
    })
    socket.on('close', () => resolve(received))
  })
}

test('connections, calls, sizes and times of both workers are summed', async () => {
  for (let i = 0; i < CONNECTIONS; i++) {
    expect(await readAll()).toBe(BODY.length)
    expect((await sendRaw(HOST, PORTS.http, line('/'))).body).toBe(BODY)
  }
  await eventually(async () => {
    const page = parsePage((await admin('/stats/prometheus')).body)
    const sums = (names: readonly string[]) => names.map((name) => seriesSum(page, name))
    expect(
      sums([
        'istio_tcp_connections_opened_total',
        'istio_tcp_connections_closed_total',
        'istio_requests_total',
        'istio_response_bytes_count',
        'istio_request_duration_milliseconds_count',
        'envoy_http_downstream_rq_time_count',
        'envoy_cluster_upstream_rq_time_count',
        'envoy_http_downstream_cx_length_ms_count',
      ]),
    ).toEqual(Array(8).fill(CONNECTIONS))
    const bytes = CONNECTIONS * BODY.length
    expect(sums(['istio_tcp_sent_bytes_total', 'istio_response_bytes_sum'])).toEqual([bytes, bytes])
    expect(sums(['istio_tcp_received_bytes_total', 'envoy_server_concurrency'])).toEqual([0, 2])
    expect(seriesSum(page, 'istio_response_bytes_bucket', { le: '+Inf' })).toBe(CONNECTIONS)
  })
})
