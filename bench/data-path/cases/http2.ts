import { startGrpcBackend } from '../backend/grpc.ts'
import { startBackend } from '../backend/nginx.ts'
import { h2load } from '../load/h2load.ts'
import { probeHttp2 } from '../probe.ts'
import { contenders } from '../subjects.ts'
import { cpuCase } from './cpu-case.ts'
import { ALL_ENGINES, PLAIN, SIDECARS, SMALL_BYTES } from './shapes.ts'

const concurrency = { connections: 8, streams: 10 }

export const h2 = cpuCase({
  name: 'h2',
  about: 'HTTP/2 to HTTP/2 with prior knowledge, 8 connections of 10 streams, 64-byte answers',
  startBackend: (work) => startBackend(work, { protocol: 'http2', hasTls: false, bodyBytes: SMALL_BYTES }),
  // nginx speaks HTTP/2 to upstreams only when it is gRPC.
  contenders: contenders(['haproxy', 'envoy', 'lateen', 'lateen before'], { ...PLAIN, protocol: 'http2' }),
  probe: (port) => probeHttp2(port),
  load: (work, port) => h2load(work, port, concurrency),
  must: { of: 'envoy', times: 0.35 },
  reach: { of: 'envoy', times: 0.22 },
})

/** A message of 64 bytes with gRPC's prefix: not compressed, and its length. */
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, SMALL_BYTES]), Buffer.alloc(SMALL_BYTES, 'x')])
const CALL = '/bench.Echo/Unary'
const GRPC_FIELDS = { te: 'trailers', 'content-type': 'application/grpc' }

export const grpcTwice = cpuCase({
  name: 'grpc-2',
  about: 'gRPC unary calls through two proxies with mutual TLS between, 8 connections of 10 streams, 64-byte messages',
  startBackend: startGrpcBackend,
  contenders: contenders(ALL_ENGINES, ...SIDECARS.map((hop) => ({ ...hop, protocol: 'http2' as const }))),
  probe: (port) => probeHttp2(port, { ':path': CALL, ...GRPC_FIELDS }, MESSAGE),
  load: (work, port) =>
    h2load(work, port, {
      ...concurrency,
      path: CALL,
      headers: Object.entries(GRPC_FIELDS).map(([name, value]) => `${name}: ${value}`),
      bodyFile: work.file('message', MESSAGE),
    }),
  must: { of: 'envoy', times: 0.4 },
  reach: { of: 'envoy', times: 0.25 },
})
