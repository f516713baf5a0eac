import { createSecureServer as createHttp2, type Http2SecureServer } from 'node:http2'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { StaticProxy } from '../../support/static-proxy.ts'
import { certificate, upstreamTls } from '../../support/static-resources.ts'

/** Health checks are made by the TLS of the cluster. */

const ca = new TestCa('mesh')
const other = new TestCa('other')
const leaf = ca.issue('server', { altNames: ['DNS:server.example'] })
const client = ca.issue('client')
const servers: (Server | Http2SecureServer)[] = []
const asked: string[] = []

async function serve(kind: 'http1' | 'http2'): Promise<number> {
  const options = { key: leaf.key, cert: leaf.cert, ca: ca.cert, requestCert: true, rejectUnauthorized: true }
  const answer = (request: { headers: object; httpVersion: string }, response: { end(): unknown }) => {
    asked.push(request.httpVersion)
    response.end()
  }
  const server = kind === 'http1' ? createServer(options, answer) : createHttp2(options, answer as never)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function proxyOf(port: number, authority: TestCa, check: object): Promise<StaticProxy> {
  const common = {
    tls_certificates: [certificate(client)],
    validation_context: { trusted_ca: { inline_string: authority.cert } },
  }
  const health_checks = [
    {
      interval: '0.05s',
      no_traffic_interval: '0.05s',
      timeout: '1s',
      unhealthy_threshold: 1,
      healthy_threshold: 1,
      ...check,
    },
  ]
  const cluster = { transport_socket: upstreamTls(common, { sni: 'server.example' }), health_checks }
  return StaticProxy.start({ upstreams: [port], cluster })
}

let ports: number[] = []
beforeAll(async () => {
  ports = [await serve('http1'), await serve('http2')]
})

afterAll(() => {
  for (const server of servers) server.close()
  ca.remove()
  other.remove()
})

const CHECKS = [
  ['http1', '1.1', { http_health_check: { path: '/' } }],
  ['http2', '2.0', { http_health_check: { path: '/', codec_client_type: 'HTTP2' } }],
] as const

test.each(CHECKS)('by %s', async (_kind, version, check) => {
  asked.length = 0
  const proxy = await proxyOf(ports[version === '1.1' ? 0 : 1] as number, ca, check)
  try {
    await eventually(() => expect(proxy.metric('cluster.health_check.success')).toBeGreaterThan(2))
    expect(new Set(asked)).toEqual(new Set([version]))
    expect(proxy.metric('cluster.membership_healthy')).toBe(1)
    // The connection is kept.
    expect(proxy.metric('cluster.ssl.handshake')).toBe(1)
  } finally {
    await proxy.stop()
  }
})

test.each(CHECKS)('by %s, of a server whose certificate is not trusted', async (_kind, version, check) => {
  const proxy = await proxyOf(ports[version === '1.1' ? 0 : 1] as number, other, check)
  try {
    await eventually(() => expect(proxy.metric('cluster.health_check.network_failure')).toBeGreaterThan(2))
    expect(proxy.metric('cluster.health_check.success')).toBe(0)
    expect(proxy.metric('cluster.membership_healthy')).toBe(0)
  } finally {
    await proxy.stop()
  }
})
