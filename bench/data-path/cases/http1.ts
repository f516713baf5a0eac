import { startBackend } from '../backend/nginx.ts'
import { wrk } from '../load/wrk.ts'
import { probeHttp1 } from '../probe.ts'
import { HEADER, HEADER_VALUE, routeTable } from '../routes.ts'
import { contenders } from '../subjects.ts'
import { type CpuCase, cpuCase } from './cpu-case.ts'
import { ALL_ENGINES, PLAIN, SIDECARS, SMALL_BYTES } from './shapes.ts'

/** HTTP/1.1 from wrk to nginx; cases differ in what stands between. */
const plain: Pick<CpuCase, 'startBackend' | 'probe' | 'load'> = {
  startBackend: (work) => startBackend(work, { protocol: 'http1', hasTls: false, bodyBytes: SMALL_BYTES }),
  probe: (port) => probeHttp1(port, { bodyBytes: SMALL_BYTES }),
  load: (work, port) => wrk(work, port, { connections: 64 }),
}

export const h1 = cpuCase({
  ...plain,
  name: 'h1',
  about: 'HTTP/1.1 to HTTP/1.1, 64 keep-alive connections, 64-byte answers',
  contenders: contenders([...ALL_ENGINES, 'http-proxy'], PLAIN),
  must: { of: 'envoy', times: 0.35 },
  reach: { of: 'nginx', times: 1 },
})

export const tlsUp = cpuCase({
  ...plain,
  name: 'tls-up',
  about: 'HTTP/1.1 to HTTP/1.1 over TLS, 64 keep-alive connections, 64-byte answers',
  startBackend: (work) => startBackend(work, { protocol: 'http1', hasTls: true, bodyBytes: SMALL_BYTES }),
  contenders: contenders(ALL_ENGINES, { ...PLAIN, upstreamTls: 'server' }),
  must: { of: 'envoy', times: 0.5 },
  reach: { of: 'nginx', times: 1.2 },
})

export const tlsIn = cpuCase({
  ...plain,
  name: 'tls-in',
  about: 'HTTP/1.1 over TLS to HTTP/1.1, 64 keep-alive connections, 64-byte answers',
  contenders: contenders(ALL_ENGINES, { ...PLAIN, downstreamTls: 'server' }),
  probe: (port) => probeHttp1(port, { scheme: 'https', bodyBytes: SMALL_BYTES }),
  load: (work, port) => wrk(work, port, { connections: 64, scheme: 'https' }),
  must: { of: 'envoy', times: 0.5 },
  reach: { of: 'nginx', times: 1.2 },
})

export const h1Twice = cpuCase({
  ...plain,
  name: 'h1-2',
  about: 'HTTP/1.1 to HTTP/1.1 through two proxies with mutual TLS between, 64 keep-alive connections, 64-byte answers',
  contenders: contenders(ALL_ENGINES, ...SIDECARS),
  must: { of: 'envoy', times: 0.4 },
  reach: { of: 'envoy', times: 0.3 },
})

const withRoutes = (count: number) => ({ ...PLAIN, routes: routeTable(count, 'prefix and header') })
const TEN_ROUTES = 'lateen, 10 routes'
const matching = [`${HEADER}: ${HEADER_VALUE}`]

export const routes1000 = cpuCase({
  ...plain,
  name: 'routes-1000',
  about: 'HTTP/1.1 through a table of 1,000 routes of which the last one matches, 64 keep-alive connections',
  contenders: [
    ...contenders(['haproxy', 'envoy', 'lateen', 'lateen before'], withRoutes(1000)),
    { label: TEN_ROUTES, engine: 'lateen', hops: [withRoutes(10)] },
    { label: 'envoy, 10 routes', engine: 'envoy', hops: [withRoutes(10)] },
  ],
  probe: (port) => probeHttp1(port, { bodyBytes: SMALL_BYTES, headers: matching }),
  load: (work, port) => wrk(work, port, { connections: 64, headers: matching }),
  reference: TEN_ROUTES,
  must: { of: TEN_ROUTES, times: 1.3 },
  reach: { of: TEN_ROUTES, times: 1 },
})

const LARGE_BYTES = 1024 * 1024

export const bodies = cpuCase({
  name: 'bodies',
  about: 'HTTP/1.1 to HTTP/1.1, 4 keep-alive connections, answers of 1 MiB',
  startBackend: (work) => startBackend(work, { protocol: 'http1', hasTls: false, bodyBytes: LARGE_BYTES }),
  contenders: contenders(ALL_ENGINES, PLAIN),
  probe: (port) => probeHttp1(port, { bodyBytes: LARGE_BYTES }),
  load: (work, port) => wrk(work, port, { connections: 4 }),
  bytesPerRequest: LARGE_BYTES,
  must: { of: 'envoy', times: 0.8 },
  reach: { of: 'envoy', times: 1.2 },
})

export const connect = cpuCase({
  ...plain,
  name: 'connect',
  about: 'HTTP/1.1, a new connection for each request to a kept one, 64 at a time, 64-byte answers',
  contenders: contenders(ALL_ENGINES, PLAIN),
  load: (work, port) => wrk(work, port, { connections: 64, headers: ['connection: close'] }),
  must: { of: 'envoy', times: 1 },
  reach: { of: 'envoy', times: 0.6 },
})
