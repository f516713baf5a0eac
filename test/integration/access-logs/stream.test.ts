import { createServer as createHttpServer } from 'node:http'
import { createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { type AddressInfo, connect, createServer as createRelay, type Server } from 'node:net'
import { fromBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { StreamAccessLogsMessageSchema } from '../../../api/gen/envoy/service/accesslog/v3/als_pb.js'
import {
  FRAME,
  FRAME_HEADER_BYTES as FRAME_START_BYTES,
  MIN_MAX_FRAME_BYTES,
  PREFACE,
} from '../../../proxy/http2/frame.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { eventually } from '../../support/eventually.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP2, listener, resources, typed } from '../../support/static-resources.ts'

/** How calls to an access log service are made: batches share them, and a server that stalls or gives up harms nobody. */

const WRITTEN = 'access_logs.grpc_access_log.logs_written'
const DROPPED = 'access_logs.grpc_access_log.logs_dropped'
const FRAME_HEADER_BYTES = 5
/** Of batches that a call takes. */
const MAX_CALL_BATCHES = 64

/** What a call brought. */
interface LogCall {
  messages: number
  entries: number
  isOver: boolean
}

const calls: LogCall[] = []
let onCall: (stream: ServerHttp2Stream, call: LogCall) => void = read
const upstream = createHttpServer((_request, response) => response.end('ok'))
const service = createServer()
const sessions = new Set<ServerHttp2Session>()
service.on('session', (session) => sessions.add(session))
service.on('stream', (stream) => {
  stream.on('error', () => {})
  const call: LogCall = { messages: 0, entries: 0, isOver: false }
  calls.push(call)
  onCall(stream, call)
})

/** Takes all of a call and says so at its end. */
function read(stream: ServerHttp2Stream, call: LogCall): void {
  let waiting = Buffer.alloc(0)
  stream.on('data', (data: Buffer) => {
    waiting = Buffer.concat([waiting, data])
    for (;;) {
      const end = FRAME_HEADER_BYTES + (waiting.length < FRAME_HEADER_BYTES ? Infinity : waiting.readUInt32BE(1))
      if (waiting.length < end) return
      const { logEntries } = fromBinary(StreamAccessLogsMessageSchema, waiting.subarray(FRAME_HEADER_BYTES, end))
      waiting = waiting.subarray(end)
      call.messages++
      if (logEntries.case === 'httpLogs') call.entries += logEntries.value.logEntry.length
    }
  })
  stream.on('end', () => {
    if (stream.destroyed || stream.headersSent) return
    call.isOver = true
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.alloc(FRAME_HEADER_BYTES))
  })
}

const portOf = (server: Server) => (server.address() as AddressInfo).port

beforeAll(async () => {
  for (const server of [upstream, service]) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  }
})

afterAll(() => {
  upstream.close()
  upstream.closeAllConnections()
  service.close()
  for (const session of sessions) session.destroy()
})

/**
 * Lengths of the DATA frames of a connection that this stands before: what is too long for the server's windows is cut where they
 * end, what is not has only full frames before its last.
 */
class FrameWatch {
  readonly lengths: number[] = []
  readonly server = createRelay((socket) => {
    const onward = connect(portOf(service), '127.0.0.1')
    let waiting = Buffer.alloc(0)
    let at = PREFACE.length
    socket.on('data', (data: Buffer) => {
      waiting = Buffer.concat([waiting, data])
      for (; waiting.length >= at + FRAME_START_BYTES; at += FRAME_START_BYTES + waiting.readUIntBE(at, 3)) {
        if (waiting[at + 3] === FRAME.data) this.lengths.push(waiting.readUIntBE(at, 3))
      }
    })
    for (const end of [socket, onward]) end.on('error', () => {})
    socket.pipe(onward).pipe(socket)
  })
}

function served(batching: object, servicePort = portOf(service)): string {
  const common_config = {
    log_name: 'calls',
    transport_api_version: 'V3',
    grpc_service: { envoy_grpc: { cluster_name: 'service' }, timeout: '0.5s' },
    ...batching,
  }
  const log = { name: 'als', typed_config: typed('access_loggers.grpc.v3.HttpGrpcAccessLogConfig', { common_config }) }
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'up' } }]
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    access_log: [log],
    http_filters: [{ name: 'router', typed_config: typed('filters.http.router.v3.Router') }],
    route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
  })
  return resources(
    [listener('http', { filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] })],
    [cluster('up', [portOf(upstream)]), cluster('service', [servicePort], HTTP2)],
  )
}

async function withProxy(
  batching: object,
  use: (proxy: BootstrapProxy) => Promise<void>,
  servicePort?: number,
): Promise<void> {
  calls.length = 0
  const proxy = await new BootstrapProxy().serve(served(batching, servicePort))
  try {
    await use(proxy)
  } finally {
    proxy.close()
  }
}

async function ask(proxy: BootstrapProxy, count: number): Promise<void> {
  const request = `GET / HTTP/1.1\r\nhost: a\r\nuser-agent: ${'a'.repeat(1000)}\r\n`
  for (let i = 0; i < count; i++) {
    const { status } = await sendRaw('127.0.0.1', proxy.port('http'), `${request}connection: close\r\n\r\n`)
    expect(status).toBe(200)
  }
}

test('a batch is no longer than what the server takes at once', async () => {
  onCall = read
  const watch = new FrameWatch()
  await new Promise<void>((resolve) => watch.server.listen(0, '127.0.0.1', resolve))
  const leaveWhole = async (proxy: BootstrapProxy) => {
    await ask(proxy, 500)
    await eventually(() => expect(proxy.stat(WRITTEN)).toBe(500), 10_000)
    expect(calls.reduce((sum, { entries }) => sum + entries, 0)).toBe(500)
    const messages = calls.reduce((sum, call) => sum + call.messages, 0)
    expect(messages).toBeGreaterThan(10)
    expect(watch.lengths.filter((length) => length < MIN_MAX_FRAME_BYTES && length > 0)).toHaveLength(messages)
  }
  await withProxy({ buffer_size_bytes: 50_000, buffer_flush_interval: '2s' }, leaveWhole, portOf(watch.server))
  watch.server.close()
}, 30_000)

test('batches share calls', async () => {
  onCall = read
  // Each entry is a batch of its own.
  await withProxy({ buffer_size_bytes: 1, buffer_flush_interval: '0.2s' }, async (proxy) => {
    await ask(proxy, 100)
    await eventually(() => expect(proxy.stat(WRITTEN)).toBe(100))
    expect(proxy.stat(DROPPED)).toBe(0)
    expect(calls.reduce((sum, { entries }) => sum + entries, 0)).toBe(100)
    expect(calls.reduce((sum, { messages }) => sum + messages, 0)).toBe(100)
    expect(calls.length).toBeLessThan(100)
    expect(Math.max(...calls.map(({ messages }) => messages))).toBeLessThanOrEqual(MAX_CALL_BATCHES)
    expect(calls.every(({ isOver }) => isOver)).toBe(true)
  })
}, 30_000)

test('of a server that does not read, calls time out and what waits is dropped, and counted', async () => {
  onCall = (stream) => stream.pause()
  await withProxy({ buffer_size_bytes: 20_000, buffer_flush_interval: '0.1s' }, async (proxy) => {
    // Far more than a window of flow control holds.
    await ask(proxy, 300)
    await eventually(() => expect(proxy.stat(DROPPED)).toBeGreaterThan(0))
    expect(proxy.stat(WRITTEN)).toBe(0)
    onCall = read
    let asked = 300
    // A call that began before still takes some of what comes.
    await eventually(async () => {
      await ask(proxy, 10)
      asked += 10
      expect(proxy.stat(WRITTEN)).toBeGreaterThanOrEqual(10)
    })
    await eventually(() => expect(proxy.stat(WRITTEN) + proxy.stat(DROPPED)).toBe(asked))
  })
}, 30_000)

test('of a call that the server gives up all is dropped, and the next is a new one', async () => {
  let given = 0
  onCall = (stream, call) => {
    read(stream, call)
    if (given++ === 0)
      stream.once('data', () => stream.respond({ ':status': 200, 'grpc-status': '8' }, { endStream: true }))
  }
  await withProxy({ buffer_size_bytes: 1, buffer_flush_interval: '0.2s' }, async (proxy) => {
    await ask(proxy, 40)
    await eventually(() => expect(proxy.stat(WRITTEN) + proxy.stat(DROPPED)).toBe(40))
    expect(proxy.stat(DROPPED)).toBeGreaterThan(0)
    expect(proxy.stat(WRITTEN)).toBeGreaterThan(0)
  })
}, 30_000)
