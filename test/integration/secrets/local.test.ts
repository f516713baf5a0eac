import { X509Certificate } from 'node:crypto'
import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { SecretSchema } from '../../../api/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.js'
import type { AgentOptions } from '../../../proxy/agent/agent.ts'
import type { IdentityState, SecretProvider, SecretSink } from '../../../proxy/xds/secret-provider.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { adsSecret, certificateSecret, grpcSecret, trustSecret } from '../../support/secrets.ts'
import {
  certificate,
  cluster,
  downstreamTls,
  forwardChain,
  httpChain,
  listener,
  upstreamTls,
} from '../../support/static-resources.ts'
import { ask } from '../../support/tls-clients.ts'
import { XdsProxy, xdsBootstrap } from '../../support/xds-proxy.ts'
import { XdsServer } from '../../support/xds-server.ts'

/** Secrets of the bootstrap, and secrets that the process supplies itself. */

const ca = new TestCa('mesh')
const [a, b] = [ca.issue('a.example'), ca.issue('b.example')]
const client = ca.issue('client')
const stopping: { stop(): unknown }[] = []
afterEach(async () => {
  for (const one of stopping.splice(0).reverse()) await one.stop()
})
afterAll(() => ca.remove())

/** As our pilot refers to what a workload's agent has. */
const ownSecret = (name: string) => grpcSecret(name, 'sds-grpc')

const TRUST = { ca: ca.cert, checkServerIdentity: () => undefined }
const AS_CLIENT = { ...TRUST, cert: client.cert, key: client.key }

/** What an agent will be: it has a certificate and roots, some time. */
class Provider implements SecretProvider {
  readonly names = new Set(['default', 'ROOTCA'])
  isClosed = false
  state: IdentityState | undefined
  #sink: SecretSink | undefined

  start(sink: SecretSink): void {
    this.#sink = sink
  }

  put(name: string, json: object, version = '1'): string {
    const secret = fromJson(SecretSchema, { name, ...json } as JsonValue)
    return (this.#sink as SecretSink).put(secret, version)
  }

  close(): void {
    this.isClosed = true
  }
}

async function start(staticResources: object, options: AgentOptions = {}): Promise<XdsProxy> {
  const admin = { address: { socket_address: { address: '127.0.0.1', port_value: 0 } } }
  const proxy = await XdsProxy.start(JSON.stringify({ admin, static_resources: staticResources }), options)
  stopping.push(proxy)
  return proxy
}

const secured = (common: object, fields: object = {}) =>
  listener('in', { filter_chains: [httpChain('hello', { transport_socket: downstreamTls(common, fields) })] })
const mutual = (reference: (name: string) => object) => ({
  tls_certificate_sds_secret_configs: [reference('default')],
  validation_context_sds_secret_config: reference('ROOTCA'),
})
const REQUIRED = { require_client_certificate: true }

test('secrets of the bootstrap are there at once', async () => {
  const secrets = [
    { name: 'server', ...certificateSecret(a) },
    { name: 'roots', ...trustSecret(ca.cert) },
  ]
  const common = {
    tls_certificate_sds_secret_configs: [{ name: 'server' }],
    validation_context_sds_secret_config: { name: 'roots' },
  }
  const proxy = await start({ secrets, listeners: [secured(common, REQUIRED)] })
  expect(proxy.agent.isReady).toBe(true)
  expect((await ask(proxy.port('in'), AS_CLIENT)).text).toBe('hello')
  await expect(ask(proxy.port('in'), TRUST)).rejects.toThrow()
})

test.each([
  ['not there', { name: 'other', ...certificateSecret(a) }, /listeners\[0\]\..*no static secret server/],
  ['bad', { name: 'server', ...certificateSecret({ cert: a.cert, key: b.key }) }, /secrets\[0\]\.tls_certificate: /],
  ['of another kind', { name: 'server', ...trustSecret(ca.cert) }, /is a validation_context, a tls_certificate is/],
])('a bootstrap whose secret is %s is refused', async (_what, secret, message) => {
  const common = { tls_certificate_sds_secret_configs: [{ name: 'server' }] }
  await expect(start({ secrets: [secret], listeners: [secured(common)] })).rejects.toThrow(message)
})

test('a bootstrap that asks for secrets where nobody can be asked is refused', async () => {
  const ads = { tls_certificate_sds_secret_configs: [adsSecret('server')] }
  await expect(start({ listeners: [secured(ads)] })).rejects.toThrow(/sds_config.ads: there is no dynamic_resources/)
  const grpc = { tls_certificate_sds_secret_configs: [grpcSecret('server', 'sds')] }
  await expect(start({ listeners: [secured(grpc)] })).rejects.toThrow(/no static cluster sds with an address/)
})

test.each<[string, (name: string) => object]>([
  ['a server that is not there', (name) => grpcSecret(name, 'sds-grpc')],
  ['a file', (name) => ({ name, sds_config: { path_config_source: { path: '/x' } } })],
  ['the bootstrap', (name) => ({ name })],
])('the process itself answers for its names, though they say %s', async (_what, reference) => {
  const secrets = new Provider()
  const proxy = await start({ listeners: [secured(mutual(reference), REQUIRED)] }, { secrets })
  await eventually(() => expect(proxy.agent.resources.warming.listeners).toEqual(['in']))
  expect([proxy.listenerNames, proxy.agent.isReady]).toEqual([[], false])
  expect(secrets.put('default', certificateSecret(a))).toBe('')
  expect(secrets.put('ROOTCA', trustSecret(ca.cert))).toBe('')
  await eventually(() => expect(proxy.agent.isReady).toBe(true))
  const port = proxy.port('in')
  expect((await ask(port, AS_CLIENT)).commonName).toBe('a.example')

  expect(secrets.put('default', certificateSecret({ cert: b.cert, key: a.key }))).toMatch(/^default: .*mismatch/)
  expect(secrets.put('another', certificateSecret(b))).toBe("another: is none of the provider's names")
  expect((await ask(port, AS_CLIENT)).commonName).toBe('a.example')
  expect(secrets.put('default', certificateSecret(b), '2')).toBe('')
  await eventually(async () => expect((await ask(port, AS_CLIENT)).commonName).toBe('b.example'))
  expect(await proxy.admin('/config_dump?resource=dynamic_active_secrets')).toMatch(/"version_info": "2"/)
  await proxy.stop()
  expect(secrets.isClosed).toBe(true)
  stopping.pop()
})

test('nobody else is asked for what the process supplies, unless it is to come by the stream of all resources', async () => {
  const xds = await new XdsServer().start()
  stopping.push(xds)
  xds.set('secret', 'default', certificateSecret(b))
  xds.set('secret', 'ROOTCA', trustSecret(ca.cert))
  const common = { ...mutual(ownSecret), validation_context_sds_secret_config: adsSecret('ROOTCA') }
  xds.set('listener', 'in', secured(common, REQUIRED))
  const secrets = new Provider()
  const proxy = await XdsProxy.start(xdsBootstrap(xds.port), { secrets })
  stopping.push(proxy)
  // It may come before anyone refers to it.
  expect(secrets.put('default', certificateSecret(a))).toBe('')
  expect(secrets.put('ROOTCA', trustSecret(b.cert))).toBe('')
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  expect((await ask(proxy.port('in'), AS_CLIENT)).commonName).toBe('a.example')
  expect(xds.asked('secret')).toEqual(['ROOTCA'])
})

test('a static listener waits for the cluster that it names, and the cluster for its secret', async () => {
  const secrets = new Provider()
  const common = { tls_certificate_sds_secret_configs: [ownSecret('default')] }
  const up = cluster('up', [1], { transport_socket: upstreamTls(common) })
  const listeners = [
    listener('in', { filter_chains: [forwardChain('up')] }),
    listener('other', { filter_chains: [httpChain('other')] }),
  ]
  const proxy = await start({ listeners, clusters: [up] }, { secrets })
  await eventually(() => expect(proxy.agent.resources.warming).toMatchObject({ clusters: ['up'], listeners: ['in'] }))
  expect(proxy.listenerNames).toEqual(['other'])
  secrets.put('default', certificateSecret(a))
  await eventually(() => expect(proxy.listenerNames.sort()).toEqual(['in', 'other']))
})

test('what contexts show and trust is told, and nothing private', async () => {
  const secrets = new Provider()
  const own = secured({
    tls_certificates: [certificate(a)],
    validation_context: { trusted_ca: { filename: ca.certFile } },
  })
  const upstream = upstreamTls(mutual(ownSecret))
  const clusters = [cluster('up', [1], { transport_socket: upstream })]
  const proxy = await start({ listeners: [own], clusters }, { secrets })
  const certs = async () => JSON.parse(await proxy.admin('/certs'))
  const detailsOf = (pem: string, path: string, altNames: object[]) => {
    const { serialNumber, validFrom, validTo } = new X509Certificate(pem)
    return {
      path,
      serial_number: serialNumber.toLowerCase(),
      subject_alt_names: altNames,
      days_until_expiration: expect.stringMatching(/^\d+$/),
      valid_from: new Date(validFrom).toISOString().replace('.000Z', 'Z'),
      expiration_time: new Date(validTo).toISOString().replace('.000Z', 'Z'),
    }
  }
  const listeners = {
    ca_cert: [detailsOf(ca.cert, ca.certFile, [])],
    cert_chain: [detailsOf(a.cert, a.certFile, [{ dns: 'a.example' }])],
  }
  expect(await certs()).toEqual({ certificates: [listeners] })
  secrets.put('default', certificateSecret(b))
  secrets.put('ROOTCA', trustSecret(ca.cert))
  const clustersOwn = {
    ca_cert: [detailsOf(ca.cert, '<inline>', [])],
    cert_chain: [detailsOf(b.cert, '<inline>', [{ dns: 'b.example' }])],
  }
  await eventually(async () => expect(await certs()).toEqual({ certificates: [listeners, clustersOwn] }))
  secrets.state = { startMs: 0, endMs: 1000, isExpired: true, lastError: 'refused', failingSinceMs: 500 }
  const text = await proxy.admin('/certs')
  expect(JSON.parse(text).workload_identity).toEqual({
    valid_from: '1970-01-01T00:00:00.000Z',
    expiration_time: '1970-01-01T00:00:01.000Z',
    is_expired: true,
    last_error: 'refused',
    failing_since: '1970-01-01T00:00:00.500Z',
  })
  expect(text).not.toContain('KEY')
})
