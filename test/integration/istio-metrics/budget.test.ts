import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { HttpLoad, type LoadRequest } from '../../support/http-load.ts'
import { parsePage, type Series, seriesSum } from '../../support/prometheus-page.ts'
import { ProxyProcess } from '../../support/proxy-process.ts'
import { cluster, HTTP2, listener, typed } from '../../support/static-resources.ts'

/**
 * Every request has a host and a path of its own, both are labels, and all is observed: what one proxy makes of that stays
 * within the budget, and so does its memory.
 */

const WARM = 3000
const STRANGERS = 10_000
const MAX_SERIES = 1000
const KB = 1024
/** What a series may cost, a histogram being one: its slots, its labels and the keys by which it is found. */
const SERIES_BYTES = 4 * KB
/** What memory may differ by with nothing kept: code that is compiled meanwhile, and buffers of connections. */
const GROWTH_BYTES = 512 * KB

const app = createServer({ maxHeaderSize: 64 * KB }, (_request, response) => {
  response.setHeader('x-from-upstream', 'app').end('ok')
})
/** Takes access logs and spans, and looks at none. */
const sink = createHttp2Server()
let proxy: ProxyProcess
let load: HttpLoad

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

sink.on('stream', (stream) => {
  stream.on('error', () => {})
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.alloc(5))
  })
  stream.resume()
})

beforeAll(async () => {
  const bootstrap = bootstrapOf(await listening(app), await listening(sink))
  proxy = await ProxyProcess.serve(bootstrap, { args: ['--max-metric-series', `${MAX_SERIES}`] })
  load = new HttpLoad('127.0.0.1', proxy.port)
}, 60_000)

afterAll(async () => {
  load.close()
  await proxy.stop()
  app.close()
  app.closeAllConnections()
  sink.close()
})

function bootstrapOf(appPort: number, sinkPort: number): string {
  const grpc_service = { envoy_grpc: { cluster_name: 'sink' } }
  const stats = {
    name: 'istio.stats',
    typed_config: {
      '@type': 'type.googleapis.com/stats.PluginConfig',
      metrics: [{ dimensions: { path: 'request.path' } }],
    },
  }
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    access_log: [
      {
        name: 'grpc',
        typed_config: typed('access_loggers.grpc.v3.HttpGrpcAccessLogConfig', {
          common_config: { log_name: 'l', transport_api_version: 'V3', grpc_service },
        }),
      },
      {
        name: 'file',
        typed_config: typed('access_loggers.file.v3.FileAccessLog', { path: '/dev/null' }),
      },
    ],
    tracing: {
      random_sampling: { value: 100 },
      provider: {
        name: 'otel',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
          service_name: 's',
          grpc_service,
        },
      },
    },
    http_filters: [stats, { name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: {
      name: 'r',
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] }],
    },
  })
  return JSON.stringify({
    node: { id: 'n', cluster: 'c' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } },
    static_resources: {
      listeners: [
        listener('out', {
          traffic_direction: 'OUTBOUND',
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }],
        }),
      ],
      clusters: [cluster('app', [appPort]), cluster('sink', [sinkPort], HTTP2)],
    },
  })
}

const LONG_HOST = `${'h'.repeat(60)}.`.repeat(4)
const LONG_PATH = `/${'p'.repeat(12 * KB)}`

/** Those who come first, and get series, have long paths; of the others every eighth. Every fourth has a long host. */
function stranger(i: number): LoadRequest {
  const isLong = i < 500 || i % 8 === 0
  return { host: `${i}.${i % 4 === 0 ? LONG_HOST : ''}test`, path: `/${i}${isLong ? LONG_PATH : ''}` }
}

/** A counter or gauge by its name of Envoy's kind. */
async function stat(name: string): Promise<number> {
  const text = await proxy.page(`/stats?filter=${encodeURIComponent(`^${name}$`)}`)
  return Number(/: (\d+)$/m.exec(text)?.[1])
}

/** What is held once logs and spans have left. */
async function liveBytes(sent: number): Promise<number> {
  await eventually(async () => {
    expect(await stat('access_logs.grpc_access_log.logs_written')).toBe(sent)
    expect(await stat('tracing.opentelemetry.spans_sent')).toBe(sent)
  })
  return proxy.liveBytes()
}

const METRICS = [
  'istio_requests_total',
  'istio_request_duration_milliseconds',
  'istio_request_bytes',
  'istio_response_bytes',
] as const

test('hosts and paths of strangers make no more series, and no more memory, than the budget gives', async () => {
  const send = async (count: number, next: (i: number) => LoadRequest) => {
    const { errors } = await load.run(count, next)
    expect(errors).toEqual([])
  }
  await send(WARM, () => ({ host: 'app', path: '/' }))
  const warm = await liveBytes(WARM)
  await send(STRANGERS, stranger)
  const first = await liveBytes(WARM + STRANGERS)
  await send(STRANGERS, (i) => stranger(STRANGERS + i))
  const sent = WARM + 2 * STRANGERS
  const second = await liveBytes(sent)
  expect(first - warm).toBeLessThan(MAX_SERIES * SERIES_BYTES)
  expect(second - first).toBeLessThan(GROWTH_BYTES)

  const families = parsePage(await proxy.page('/stats/prometheus'))
  const counters = METRICS.map((name) => (name.endsWith('_total') ? name : `${name}_count`))
  const seriesOf = (name: string) =>
    (families.get(name.replace(/_count$/, ''))?.series ?? []).filter((one) => one.name === name)
  const isOverflow = ({ labels }: Series) => labels.path === 'overflow'
  const own = counters.flatMap(seriesOf).filter((one) => !isOverflow(one))
  expect(own.length).toBe(MAX_SERIES)
  const names = [...families.keys()].filter((name) => name.startsWith('istio_'))
  expect(names.sort()).toEqual(['istio_build', ...METRICS].sort())
  // A set of labels within the budget is of one request, but for that of the first host.
  const overflowed = sent - WARM - (MAX_SERIES / METRICS.length - 1)
  for (const name of counters) {
    const overflow = seriesOf(name).filter(isOverflow)
    expect(overflow.map(({ labels }) => [labels.destination_service, labels.reporter])).toEqual([
      ['overflow', 'source'],
    ])
    expect(overflow[0]?.value).toBe(overflowed)
    expect(seriesSum(families, name)).toBe(sent)
  }
  const lengths = own.flatMap(({ labels }) => Object.values(labels).map((value) => value.length))
  expect(Math.max(...lengths)).toBe(256)
  expect(seriesSum(families, 'lateen_metrics_series')).toBe(MAX_SERIES)
  expect(seriesSum(families, 'lateen_metrics_overflow_total')).toBe(overflowed)
  expect(proxy.errors.match(/more series than there is room for/g)).toHaveLength(1)
  expect(proxy.errors).not.toContain('"bug"')
}, 120_000)
