import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { LogCollector } from '../../support/log-collector.ts'
import { ProxyProcess } from '../../support/proxy-process.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { SpanCollector, tagsOf } from '../../support/span-collector.ts'
import { cluster, HTTP2, listener, typed } from '../../support/static-resources.ts'

/** What a proxy holds of access logs and spans when it is told to end leaves before it ends. */

const REQUESTS = 600
/** Longer than the test: what leaves, or is given up, does so because the process ends. */
const NEVER = '600s'

const hanging: ServerResponse[] = []
const upstream = createServer((request, response) => {
  if (request.url === '/hang') hanging.push(response)
  else response.end('ok')
})
const logs = new LogCollector()
const spans = new SpanCollector()
let ports = { upstream: 0, logs: 0, spans: 0 }
let proxy: ProxyProcess | undefined

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  ports = {
    upstream: (upstream.address() as AddressInfo).port,
    logs: await logs.listen(),
    spans: await spans.listen(),
  }
})

afterEach(async () => {
  await proxy?.stop()
  logs.records.length = 0
  spans.spans.length = 0
  hanging.length = 0
})

afterAll(() => {
  upstream.closeAllConnections()
  upstream.close()
  logs.close()
  spans.close()
})

async function served(): Promise<string> {
  const grpc = (cluster_name: string) => ({ grpc_service: { envoy_grpc: { cluster_name }, timeout: NEVER } })
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    access_log: [
      {
        name: 'otlp',
        typed_config: typed('access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig', {
          common_config: {
            log_name: 'calls',
            transport_api_version: 'V3',
            buffer_flush_interval: NEVER,
            // Several batches, more than may be under way at once.
            buffer_size_bytes: 4096,
            ...grpc('logs'),
          },
          body: { string_value: '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS%' },
        }),
      },
    ],
    tracing: {
      provider: {
        name: 'otel',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
          service_name: 's',
          ...grpc('spans'),
        },
      },
    },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: {
      name: 'r',
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] }],
    },
  })
  const at = (port_value: number) => ({ address: { socket_address: { address: '127.0.0.1', port_value } } })
  return JSON.stringify({
    node: { id: 'n', cluster: 'c' },
    admin: at(0),
    static_resources: {
      listeners: [
        listener('in', {
          ...at(await freePort()),
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        }),
      ],
      clusters: [
        cluster('up', [ports.upstream]),
        cluster('logs', [ports.logs], HTTP2),
        cluster('spans', [ports.spans], HTTP2),
      ],
    },
  })
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`

async function ask(port: number): Promise<void> {
  let sent = 0
  const client = async () => {
    while (sent < REQUESTS) await sendRaw('127.0.0.1', port, request(`/${sent++}`))
  }
  await Promise.all(Array.from({ length: 8 }, client))
}

function paths(): string[] {
  const bodies = logs.records.map(({ body }) => String(body?.value.value))
  return bodies.map((body) => body.split(' ')[0] as string).sort()
}

const wanted = Array.from({ length: REQUESTS }, (_, i) => `/${i}`).sort()

test.each([0, 2])(
  'every call that %i workers have answered is told of',
  async (workers) => {
    proxy = await ProxyProcess.serve(await served(), { workers, drainTimeS: 2 })
    await ask(proxy.port)
    expect(await proxy.terminate()).toBe(0)
    expect(paths()).toEqual(wanted)
    expect(spans.spans.length).toBe(REQUESTS)
  },
  60_000,
)

test('and one that is cut when the time for draining is over', async () => {
  proxy = await ProxyProcess.serve(await served(), { drainTimeS: 0 })
  const client = connect(proxy.port, '127.0.0.1', () => client.write(request('/hang')))
  client.on('error', () => {})
  await eventually(() => expect(hanging.length).toBe(1))
  expect(await proxy.terminate()).toBe(0)
  expect(paths()).toEqual(['/hang'])
  expect(spans.spans.map(({ attributes }) => tagsOf(attributes).response_flags)).toEqual(['DC'])
}, 60_000)

test('a server that takes everything and says nothing is not waited for', async () => {
  const held: Socket[] = []
  const silent = createTcpServer((socket) => void held.push(socket.on('error', () => {}).resume()))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const answering = ports
  ports = { ...ports, logs: (silent.address() as AddressInfo).port }
  try {
    proxy = await ProxyProcess.serve(await served(), { drainTimeS: 0 })
    await ask(proxy.port)
    expect(await proxy.terminate()).toBe(0)
    expect(spans.spans.length).toBe(REQUESTS)
  } finally {
    ports = answering
    for (const socket of held) socket.destroy()
    silent.close()
  }
}, 60_000)
