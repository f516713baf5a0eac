import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { eventually } from '../../support/eventually.ts'
import { LogCollector } from '../../support/log-collector.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { tagsOf } from '../../support/span-collector.ts'
import { cluster, HTTP2, listener, resources, tcpChain, typed } from '../../support/static-resources.ts'

/** What our proxy tells a collector of OTLP's logs. */

const WRITTEN = 'access_logs.open_telemetry_access_log.logs_written'
const DROPPED = 'access_logs.open_telemetry_access_log.logs_dropped'
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

const upstream = createServer((_request, response) => response.end('ok'))
let upstreamPort = 0
let collector: LogCollector
let proxy: BootstrapProxy

beforeAll(async () => {
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  upstreamPort = (upstream.address() as AddressInfo).port
})

afterAll(() => {
  upstream.closeAllConnections()
  upstream.close()
})

beforeEach(async () => {
  collector = new LogCollector()
  const port = await collector.listen()
  const node = { id: 'sidecar-1', cluster: 'shop', metadata: {}, zone: 'north' }
  proxy = await new BootstrapProxy({ node }).serve(served(port))
})

afterEach(() => {
  proxy.close()
  collector.close()
})

const text = (string_value: string) => ({ string_value })
const attribute = (key: string, value: object) => ({ key, value })

function served(collectorPort: number): string {
  const log = (body: object) => ({
    access_log: [
      {
        name: 'otlp',
        typed_config: typed('access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig', {
          common_config: {
            log_name: 'calls',
            transport_api_version: 'V3',
            grpc_service: { envoy_grpc: { cluster_name: 'collector' } },
            buffer_flush_interval: '0.05s',
          },
          resource_attributes: { values: [attribute('team', text('blue'))] },
          body,
          attributes: {
            values: [
              attribute('code', text('%RESPONSE_CODE%')),
              attribute('sent', text('%BYTES_SENT%')),
              attribute('fixed', { bool_value: true }),
              attribute('nested', { kvlist_value: { values: [attribute('flags', text('%RESPONSE_FLAGS%'))] } }),
              attribute('list', { array_value: { values: [text('%PROTOCOL%'), text('two')] } }),
            ],
          },
        }),
      },
    ],
  })
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    ...log(text('%REQ(:METHOD)% %REQ(:PATH)% %REQ(X-NAME)%')),
    // Whose spans nobody takes here: only their ids matter.
    tracing: {
      provider: {
        name: 'otel',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
          grpc_service: { envoy_grpc: { cluster_name: 'collector' } },
        },
      },
    },
    route_config: {
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] }],
    },
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
  })
  return resources(
    [
      listener('http', { filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] }),
      listener('tcp', { filter_chains: [tcpChain('up', {}, log(text('%BYTES_RECEIVED% bytes')))] }),
    ],
    [cluster('up', [upstreamPort]), cluster('collector', [collectorPort], HTTP2)],
  )
}

const get = (listenerName: string, path: string, fields: readonly string[] = []) =>
  sendRaw('127.0.0.1', proxy.port(listenerName), request(path, fields))

function request(path: string, fields: readonly string[]): string {
  return `${[`GET ${path} HTTP/1.1`, 'host: a', 'connection: close', ...fields].join('\r\n')}\r\n\r\n`
}

test('a record for each call, with its body, its attributes and its resource', async () => {
  const sentMs = Date.now()
  await get('http', '/one', ['x-name: caf\xc3\xa9', `traceparent: 00-${TRACE}-00f067aa0ba902b7-01`])
  for (let i = 0; i < 9; i++) await get('http', '/more')
  await eventually(() => expect(proxy.stat(WRITTEN)).toBe(10))
  expect(proxy.stat(DROPPED)).toBe(0)
  expect(collector.records.length).toBe(10)
  const [first] = collector.records
  expect(first?.body?.value).toEqual({ case: 'stringValue', value: 'GET /one café' })
  const { nested, list, ...plain } = tagsOf(first?.attributes ?? [])
  expect(plain).toEqual({ code: '200', sent: '2', fixed: true })
  expect(tagsOf((nested as { values: never[] }).values)).toEqual({ flags: '-' })
  const items = (list as { values: { value: { value: unknown } }[] }).values
  expect(items.map(({ value }) => value.value)).toEqual(['HTTP/1.1', 'two'])
  const startMs = Number((first?.timeUnixNano ?? 0n) / 1_000_000n)
  expect(startMs).toBeGreaterThanOrEqual(sentMs - 1)
  expect(startMs).toBeLessThanOrEqual(Date.now())
  expect(Buffer.from(first?.traceId ?? []).toString('hex')).toBe(TRACE)
  expect(first?.spanId.length).toBe(8)
  for (const resource of collector.resources) {
    expect(resource).toEqual({
      log_name: 'calls',
      zone_name: 'north',
      cluster_name: 'shop',
      node_name: 'sidecar-1',
      team: 'blue',
    })
  }
})

test('and for each connection', async () => {
  await get('tcp', '/bytes')
  await eventually(() => expect(collector.records.length).toBe(1))
  const body = `${request('/bytes', []).length} bytes`
  expect(collector.records[0]?.body?.value).toEqual({ case: 'stringValue', value: body })
})

test('what the collector refuses is counted as dropped, and calls go on', async () => {
  collector.isRefusing = true
  for (let i = 0; i < 5; i++) expect((await get('http', '/refused')).status).toBe(200)
  await eventually(() => expect(proxy.stat(DROPPED)).toBe(5))
  collector.isRefusing = false
  for (let i = 0; i < 5; i++) await get('http', '/taken')
  await eventually(() => expect(proxy.stat(WRITTEN)).toBe(5))
  expect([proxy.stat(DROPPED), collector.records.length]).toEqual([5, 5])
})
