import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { GrpcAuthorizationServer } from '../../support/authorization-server.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { eventually } from '../../support/eventually.ts'
import { LineServer } from '../../support/line-server.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, HTTP2, httpChain, listener, resources, tcpChain, typed } from '../../support/static-resources.ts'

/** What happens to a connection while a server of verdicts is asked about it. */

let verdicts: GrpcAuthorizationServer
let upstream: LineServer
let proxy: BootstrapProxy
const sockets: Socket[] = []

beforeEach(async () => {
  verdicts = new GrpcAuthorizationServer()
  upstream = new LineServer('up')
  const asking = (inner: object, timeout: string, fields: object = {}) => {
    const config = typed('filters.network.ext_authz.v3.ExtAuthz', {
      stat_prefix: 'tcp.',
      transport_api_version: 'V3',
      grpc_service: { envoy_grpc: { cluster_name: 'verdicts' }, timeout },
      ...fields,
    })
    const { filters } = inner as { filters: object[] }
    return { filter_chains: [{ filters: [{ name: 'authz', typed_config: config }, ...filters] }] }
  }
  proxy = await new BootstrapProxy().serve(
    resources(
      [
        listener('bytes', asking(tcpChain('up'), '20s')),
        listener('hasty', asking(tcpChain('up'), '0.05s')),
        listener('open', asking(tcpChain('up'), '0.05s', { failure_mode_allow: true })),
        listener('http', asking(httpChain('served'), '20s')),
      ],
      [cluster('up', [await upstream.listen()]), cluster('verdicts', [await verdicts.listen()], HTTP2)],
    ),
  )
})

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  proxy.close()
  verdicts.close()
  upstream.close()
})

/** What comes until the connection ends, or a whole line. */
function open(name: string, text = ''): { socket: Socket; line: Promise<string> } {
  const socket = connect(proxy.port(name), '127.0.0.1', () => socket.write(text))
  sockets.push(socket)
  const line = new Promise<string>((resolve) => {
    socket.on('error', () => {})
    socket.once('data', (chunk) => resolve(chunk.toString()))
    socket.once('close', () => resolve(''))
  })
  return { socket, line }
}

const upstreamConnections = () => proxy.stat('tcp.downstream_cx_total')

test('nothing is done for a connection before it is allowed; then its bytes go up', async () => {
  verdicts.connectionAnswer = 'silence'
  const { line } = open('bytes')
  await eventually(() => expect(verdicts.connections).toHaveLength(1))
  expect([upstreamConnections(), proxy.stat('ext_authz.tcp.active')]).toEqual([0, 1])
  verdicts.release({ status: { code: 0 } })
  expect(await line).toBe('up\n')
  expect([proxy.stat('ext_authz.tcp.ok'), proxy.stat('ext_authz.tcp.active')]).toEqual([1, 0])
  expect(verdicts.connections[0]?.source).toBe('127.0.0.1')
})

test('one that is denied is closed', async () => {
  verdicts.connectionAnswer = { status: { code: 7 } }
  expect(await open('bytes', 'hello').line).toBe('')
  expect([upstreamConnections(), proxy.stat('ext_authz.tcp.denied'), proxy.stat('ext_authz.tcp.cx_closed')]).toEqual([
    0, 1, 1,
  ])
})

test('a server that does not answer in time, or cannot, denies, unless it may fail open', async () => {
  verdicts.connectionAnswer = 'silence'
  expect(await open('hasty').line).toBe('')
  expect(await open('open').line).toBe('up\n')
  verdicts.connectionAnswer = 'error'
  expect(await open('bytes').line).toBe('')
  expect([proxy.stat('ext_authz.tcp.error'), proxy.stat('ext_authz.tcp.failure_mode_allowed')]).toEqual([3, 1])
})

test('a question ends with the proxy, and nobody is served after', async () => {
  verdicts.connectionAnswer = 'silence'
  const { line } = open('bytes')
  await eventually(() => expect(verdicts.connections).toHaveLength(1))
  proxy.close()
  expect(await line).toBe('')
  await eventually(() => expect(proxy.stat('ext_authz.tcp.active')).toBe(0))
  verdicts.release({ status: { code: 0 } })
  expect(upstreamConnections()).toBe(0)
})

test('requests wait on the connection that is asked about', async () => {
  verdicts.connectionAnswer = 'silence'
  const answer = sendRaw('127.0.0.1', proxy.port('http'), 'GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n')
  await eventually(() => expect(verdicts.connections).toHaveLength(1))
  verdicts.release({ status: { code: 0 } })
  expect(await answer).toMatchObject({ status: 200, body: 'served' })
})
