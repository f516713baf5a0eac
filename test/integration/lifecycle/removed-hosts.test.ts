import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { BothServer, type Protocol } from '../../support/http-both.ts'
import { dial, statuses } from '../../support/raw-client.ts'
import { cluster, forwardChain, listener, upstreamTls } from '../../support/static-resources.ts'
import { XdsProxy, xdsBootstrap } from '../../support/xds-proxy.ts'
import { XdsServer } from '../../support/xds-server.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: h\r\n\r\n'
const HTTP2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
}

/** A proxy that sends everything to the cluster `up`; `run` may change that. All is stopped when it is over, however it ends. */
async function withProxy(up: object, run: (server: XdsServer, proxy: XdsProxy) => Promise<void>): Promise<void> {
  const server = await new XdsServer().start()
  server.set('cluster', 'up', up)
  server.set('listener', 'in', listener('in', { filter_chains: [forwardChain('up')] }))
  const proxy = await XdsProxy.start(xdsBootstrap(server.port))
  try {
    await eventually(() => expect(proxy.portOf('in')).toBeGreaterThan(0))
    await run(server, proxy)
    expect(proxy.faults).toEqual([])
  } finally {
    await proxy.agent.stop(0)
    server.stop()
  }
}

/** The answer to a request on a connection of its own; '' when there is none soon. */
async function newcomer(proxy: XdsProxy): Promise<string> {
  const { socket, heard } = await dial(proxy.port('in'))
  socket.write(REQUEST)
  await eventually(() => expect(statuses(heard.text)).not.toEqual([]), 200).catch(() => {})
  socket.destroy()
  return heard.text
}

/**
 * A request is on its way that the only host of a cluster has not answered when `remove` takes one of the two away. `isGone` says
 * of the answer to another whether that has come about.
 */
async function underWay(
  protocol: Protocol,
  remove: (server: XdsServer, otherHost: object) => void,
  isGone: (text: string) => boolean,
): Promise<void> {
  const waiting: ServerResponse[] = []
  const host = new BothServer(protocol, (_request, response) => waiting.push(response))
  const other = new BothServer(protocol, (_request, response) => response.end('other'))
  const clusterAt = (port: number) => cluster('up', [port], protocol === 'http2' ? HTTP2 : {})
  const otherCluster = clusterAt(await other.listen())
  try {
    await withProxy(clusterAt(await host.listen()), async (server, proxy) => {
      const client = await dial(proxy.port('in'))
      client.socket.write(REQUEST)
      await eventually(() => expect(waiting.length).toBe(1))
      remove(server, otherCluster)
      // Those that still reach the old host give up.
      await eventually(async () => expect(isGone(await newcomer(proxy))).toBe(true))
      expect(host.sockets.size).toBeGreaterThan(0)
      waiting[0]?.end('old')
      await eventually(() => expect(client.heard.text).toContain('old'))
      await eventually(() => expect(host.sockets.size).toBe(0))
      client.socket.destroy()
    })
  } finally {
    host.close()
    other.close()
  }
}

test.each(['http1', 'http2'] as const)(
  '%s: what is under way at a host that is removed goes on, and its connection ends with it',
  (protocol) =>
    underWay(
      protocol,
      (server, otherHost) => server.set('cluster', 'up', otherHost),
      (text) => text.includes('other'),
    ),
  40_000,
)

test.each(['http1', 'http2'] as const)(
  '%s: what is under way at a cluster that is removed goes on, and its connection ends with it',
  (protocol) =>
    underWay(
      protocol,
      (server) => server.remove('cluster', 'up'),
      (text) => statuses(text).includes(503),
    ),
  40_000,
)

test('a client that closes its connection takes its request with it', async () => {
  const waiting: ServerResponse[] = []
  const host = new BothServer('http1', (_request, response) => waiting.push(response))
  try {
    await withProxy(cluster('up', [await host.listen()]), async (_server, proxy) => {
      const { socket } = await dial(proxy.port('in'))
      socket.write(REQUEST)
      await eventually(() => expect(waiting.length).toBe(1))
      // A FIN and no more: a reset would only follow if something were sent.
      socket.end()
      await eventually(() => expect(host.sockets.size).toBe(0))
      expect(proxy.stat('cluster.upstream_rq_cancelled')).toBe(1)
      expect(proxy.stat('cluster.upstream_rq_active')).toBe(0)
    })
  } finally {
    host.close()
  }
}, 40_000)

/** How many connections a host gets by TLS for two requests, between which the cluster changes. */
async function connectionsAcross(before: object, after: object): Promise<number> {
  const ca = new TestCa('mesh')
  const { cert, key } = ca.issue('a.example')
  let connections = 0
  const host = createServer({ cert, key }, (_request, response) => response.end('hello'))
  host.on('secureConnection', () => connections++)
  await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
  const { port } = host.address() as AddressInfo
  const tls = (sni: string) =>
    upstreamTls({ validation_context: { trusted_ca: { inline_string: ca.cert.toString() } } }, { sni })
  const clusterWith = ({ sni = 'a.example', ...fields }: { sni?: string }) =>
    cluster('up', [port], { transport_socket: tls(sni), ...fields })
  try {
    await withProxy(clusterWith(before), async (server, proxy) => {
      expect(await newcomer(proxy)).toContain('hello')
      const { version } = proxy.agent.resources.plan
      server.set('cluster', 'up', clusterWith(after))
      await eventually(() => expect(proxy.agent.resources.plan.version).toBeGreaterThan(version))
      expect(await newcomer(proxy)).toContain('hello')
    })
  } finally {
    host.close()
    host.closeAllConnections()
    ca.remove()
  }
  return connections
}

test('connections by TLS stay when the circuit breakers change, and others take their place when the TLS context does', async () => {
  const thresholds = [{ max_connections: 7 }]
  expect(await connectionsAcross({}, { circuit_breakers: { thresholds } })).toBe(1)
  expect(await connectionsAcross({}, { sni: 'b.example' })).toBe(2)
}, 40_000)
