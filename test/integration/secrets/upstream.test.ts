import { createServer, type Server } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { adsSecret, certificateSecret, grpcSecret, trustSecret } from '../../support/secrets.ts'
import { cluster, forwardChain, listener, tcpChain, upstreamTls } from '../../support/static-resources.ts'
import { type ApiType, XdsProxy, xdsBootstrap } from '../../support/xds-proxy.ts'
import { XdsServer } from '../../support/xds-server.ts'

const ca = new TestCa('mesh')
const otherCa = new TestCa('other')
const server = ca.issue('server')
const [first, second] = [ca.issue('first'), ca.issue('second')]
const stopping: { stop(): unknown }[] = []
let upstream: Server
let port = 0
/** Connections that the upstream has taken. */
let connections = 0

beforeEach(async () => {
  connections = 0
  upstream = createServer(
    { cert: server.cert, key: server.key, ca: ca.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const socket = request.socket as TLSSocket
      if (request.url === '/close') response.setHeader('connection', 'close')
      const { subject } = socket.getPeerCertificate()
      response.end(`${subject?.CN ?? '-'} ${socket.isSessionReused() ? 'resumed' : 'whole'}`)
    },
  )
  upstream.on('tlsClientError', () => {})
  upstream.on('secureConnection', () => connections++)
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  port = (upstream.address() as { port: number }).port
})
afterEach(async () => {
  for (const one of stopping.splice(0).reverse()) await one.stop()
  upstream.close()
  upstream.closeAllConnections()
})
afterAll(() => {
  ca.remove()
  otherCa.remove()
})

const API_TYPES: ApiType[] = ['GRPC', 'DELTA_GRPC']

const secured = (common: object) => cluster('up', [port], { transport_socket: upstreamTls(common, { sni: 'server' }) })
const mutual = (timeout?: string) => ({
  tls_certificate_sds_secret_configs: [adsSecret('client', timeout)],
  validation_context_sds_secret_config: adsSecret('roots', timeout),
})

async function start(
  apiType: ApiType,
  common: object,
  options: Parameters<typeof XdsProxy.start>[1] = {},
): Promise<{ xds: XdsServer; proxy: XdsProxy }> {
  const xds = await new XdsServer().start()
  stopping.push(xds)
  xds.set('cluster', 'up', secured(common))
  xds.set('listener', 'in', listener('in', { filter_chains: [forwardChain('up')] }))
  const proxy = await XdsProxy.start(xdsBootstrap(xds.port, apiType), options)
  stopping.push(proxy)
  return { xds, proxy }
}

const ask = async (proxy: XdsProxy, path = '/') => {
  const request = `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`
  const { status, body } = await sendRaw('127.0.0.1', proxy.port('in'), request)
  return `${status} ${body}`
}

test.each(API_TYPES)('a cluster waits for its secrets, and takes others while it serves, with %s', async (apiType) => {
  const { xds, proxy } = await start(apiType, mutual())
  await eventually(() => expect(xds.asked('secret')).toEqual(['client', 'roots']))
  await eventually(() => expect(proxy.agent.resources.warming).toMatchObject({ clusters: ['up'], listeners: ['in'] }))
  xds.set('secret', 'client', certificateSecret(first))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  expect(await ask(proxy)).toBe('200 first whole')

  // The connection that is open goes on as who it was opened by.
  xds.set('secret', 'client', certificateSecret(second))
  await eventually(() => expect(proxy.stat('cluster.client_ssl_socket_factory.ssl_context_update_by_sds')).toBe(1))
  expect(await ask(proxy, '/close')).toBe('200 first whole')
  expect(connections).toBe(1)
  expect(await ask(proxy, '/close')).toBe('200 second whole')
  expect(await ask(proxy)).toBe('200 second resumed')

  xds.set('secret', 'client', certificateSecret({ cert: first.cert, key: second.key }))
  await eventually(() => expect(xds.refusals).toEqual([expect.stringMatching(/^client: tls_certificate: .*mismatch/)]))
  expect(await ask(proxy, '/close')).toBe('200 second resumed')
  expect(await ask(proxy)).toBe('200 second resumed')
})

test('a session under the old roots does not get by the new ones', async () => {
  const { xds, proxy } = await start('DELTA_GRPC', mutual())
  xds.set('secret', 'client', certificateSecret(first))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  expect(await ask(proxy, '/close')).toBe('200 first whole')
  expect(await ask(proxy, '/close')).toBe('200 first resumed')
  xds.set('secret', 'roots', trustSecret(otherCa.cert))
  await eventually(() => expect(proxy.stat('cluster.client_ssl_socket_factory.ssl_context_update_by_sds')).toBe(1))
  expect(await ask(proxy)).toMatch(/^503 .*certificate/)
  expect(proxy.stat('cluster.ssl.fail_verify_error')).toBe(1)
  xds.set('secret', 'roots', trustSecret(`${otherCa.cert}\n${ca.cert}`))
  await eventually(async () => expect(await ask(proxy)).toBe('200 first whole'))
})

test('a cluster whose secrets do not come is served without: requests fail until they do', async () => {
  const clock = new ManualClock(Date.now())
  const { xds, proxy } = await start('GRPC', mutual('3s'), { clock })
  await eventually(() => expect(proxy.agent.resources.warming.clusters).toEqual(['up']))
  clock.advance(2_999)
  await new Promise(setImmediate)
  expect(proxy.listenerNames).toEqual([])
  clock.advance(1)
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  /** Connections that are to close wait a little, by this clock. */
  const askByClock = async () => {
    const answer = ask(proxy)
    let text = ''
    await eventually(async () => {
      clock.advance(10)
      text = await Promise.race([answer, Promise.reject(new Error('no answer yet'))])
    })
    return text
  }
  expect(await askByClock()).toMatch(/^503 .*TLS error: Secret is not supplied by SDS/)
  expect(proxy.stat('cluster.client_ssl_socket_factory.upstream_context_secrets_not_ready')).toBeGreaterThan(0)
  expect(connections).toBe(0)
  xds.set('secret', 'client', certificateSecret(first))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  await eventually(async () => expect(await askByClock()).toBe('200 first whole'))
})

test('a changed cluster goes on as it was until its new secret comes', async () => {
  const { xds, proxy } = await start('DELTA_GRPC', mutual())
  xds.set('secret', 'client', certificateSecret(first))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  const changed = { ...mutual(), tls_certificate_sds_secret_configs: [adsSecret('another')] }
  xds.set('cluster', 'up', secured(changed))
  await eventually(() => expect(proxy.agent.resources.warming.clusters).toEqual(['up']))
  expect(await ask(proxy)).toBe('200 first whole')
  xds.set('secret', 'another', certificateSecret(second))
  await eventually(async () => expect(await ask(proxy, '/close')).toMatch(/^200 second/))
  await eventually(() => expect(xds.asked('secret')).toEqual(['another', 'roots']))
})

test('TCP goes by the same secrets', async () => {
  const { xds, proxy } = await start('GRPC', mutual())
  xds.set('listener', 'in', listener('in', { filter_chains: [tcpChain('up')] }))
  xds.set('secret', 'client', certificateSecret(first))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  expect(await ask(proxy)).toMatch(/^200 first/)
})

const SDS_TYPES: ['GRPC' | 'DELTA_GRPC'][] = [['GRPC'], ['DELTA_GRPC']]
test.each(SDS_TYPES)('secrets come from a server of their own, with %s', async (apiType) => {
  const sds = await new XdsServer().start()
  const xds = await new XdsServer().start()
  stopping.push(sds, xds)
  const common = {
    tls_certificate_sds_secret_configs: [grpcSecret('client', 'sds', apiType)],
    validation_context_sds_secret_config: adsSecret('roots'),
  }
  sds.set('secret', 'client', certificateSecret(first))
  sds.set('secret', 'roots', certificateSecret(second))
  xds.set('secret', 'client', certificateSecret(second))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  xds.set('cluster', 'up', secured(common))
  xds.set('listener', 'in', listener('in', { filter_chains: [forwardChain('up')] }))
  const statics = { clusters: [cluster('sds', [sds.port])] }
  const proxy = await XdsProxy.start(xdsBootstrap(xds.port, 'GRPC', statics))
  stopping.push(proxy)
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  expect(await ask(proxy, '/close')).toBe('200 first whole')
  expect([sds.asked('secret'), xds.asked('secret')]).toEqual([['client'], ['roots']])
  expect(sds.secretRequests).toBeGreaterThan(0)

  sds.set('secret', 'client', certificateSecret({ cert: first.cert, key: second.key }))
  await eventually(() => expect(sds.refusals).toHaveLength(1))
  sds.set('secret', 'client', certificateSecret(second))
  await eventually(async () => expect(await ask(proxy, '/close')).toMatch(/^200 second/))

  // Nothing is asked there once nothing needs it.
  xds.set('cluster', 'up', secured(mutual()))
  await eventually(() => expect(xds.asked('secret')).toEqual(['client', 'roots']))
  await eventually(() => expect(sds.asked('secret')).toEqual([]))
  expect(proxy.stat('sds.connected_state')).toBe(0)
})

test.each([
  ['a server that is not there', grpcSecret('client', 'nowhere'), 'no static cluster nowhere with an address'],
  [
    'a file',
    { name: 'client', sds_config: { path_config_source: { path: '/x' } } },
    'path_config_source: not supported',
  ],
  ['a static secret that is not there', { name: 'client' }, 'no static secret client'],
])('a cluster whose secret is to come from %s is refused', async (_what, reference, reason) => {
  const { xds } = await start('GRPC', { tls_certificate_sds_secret_configs: [reference] })
  await eventually(() => expect(xds.refusals).toEqual([expect.stringContaining(reason)]))
  expect(xds.refusals[0]).toContain('up: transport_socket.typed_config.common_tls_context.tls_certificate_sds_secret')
})

test('a cluster with two certificates by reference is refused', async () => {
  const common = { tls_certificate_sds_secret_configs: [adsSecret('a'), adsSecret('b')] }
  const { xds } = await start('GRPC', common)
  await eventually(() => expect(xds.refusals).toEqual([expect.stringContaining('one certificate at most')]))
})
