import { createServer as createPlain } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { MetricStore } from '../../lib/metrics/store.ts'
import { type Issued, TestCa } from '../../test/support/certificates.ts'
import { plainEndpoint } from '../plan/plain-endpoint.ts'
import { NO_SECRETS } from '../plan/secret-plan.ts'
import { clusterPlan, typed } from '../plan/testing.ts'
import type { UpstreamTlsPlan } from '../plan/tls-plan.ts'
import { SslStats } from './stats.ts'
import { connectUpstream, readyEvent, type UpstreamConnectOptions } from './upstream.ts'

const ca = new TestCa('upstream')
const otherCa = new TestCa('other')
const leaf = ca.issue('a.example', {
  altNames: ['DNS:a.example', 'DNS:*.b.example', 'URI:spiffe://mesh/a', 'IP:127.0.0.1'],
})
const expired = ca.issue('a.example', { days: -1 })
const servers: { close(): unknown }[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})
afterAll(() => {
  ca.remove()
  otherCa.remove()
})

const endpoint = (port: number) => plainEndpoint('127.0.0.1', port)

/** A TLS server that says the name it was asked for and who asked; gives its port. */
function serve(issued: Issued = leaf, options: TlsOptions = {}): Promise<number> {
  const server: Server = createServer({ cert: issued.cert, key: issued.key, ...options }, (socket) => {
    socket.on('error', () => {})
    socket.end(`${socket.servername || '-'} ${socket.getPeerCertificate().subject?.CN ?? '-'} ${socket.alpnProtocol}`)
  })
  server.on('tlsClientError', () => {})
  servers.push(server)
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
  })
}

function plan(
  validation: object | undefined,
  context: object = {},
  common: object = {},
  cluster: object = {},
): UpstreamTlsPlan {
  const commonTlsContext = { ...(validation && { validationContext: validation }), ...common }
  const config = typed('transport_sockets.tls.v3.UpstreamTlsContext', { commonTlsContext, ...context })
  const { tls } = clusterPlan({ transportSocket: { name: 'tls', typedConfig: config }, ...cluster })
  if (tls === undefined) throw new Error('no TLS')
  return tls.of(NO_SECRETS)
}

const TRUST = { trustedCa: { inlineString: ca.cert } }
const dns = (exact: string) => ({ ...TRUST, matchTypedSubjectAltNames: [{ sanType: 'DNS', matcher: { exact } }] })

/** The server's words, or rejects with why there was no connection. `ready` must never come before a refusal. */
function say(port: number, tls: UpstreamTlsPlan | undefined, options: UpstreamConnectOptions = {}) {
  return new Promise<{ text: string; isResumed: boolean }>((resolve, reject) => {
    const socket = connectUpstream(endpoint(port), tls, options) as TLSSocket
    let isReady = false
    let isResumed = false
    let text = ''
    socket.on(readyEvent(tls), () => {
      isReady = true
      isResumed = tls !== undefined && socket.isSessionReused()
    })
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('end', () => socket.end())
    socket.on('error', (error) => reject(isReady ? new Error(`ready before: ${error.message}`) : error))
    socket.on('close', () => resolve({ text, isResumed }))
  })
}

test('plain without TLS', async () => {
  const server = createPlain((socket) => socket.end('plain'))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  expect(await say((server.address() as { port: number }).port, undefined)).toEqual({ text: 'plain', isResumed: false })
})

test('asks for its name and protocols, and shows its certificate', async () => {
  const client = ca.issue('client')
  const port = await serve(leaf, { requestCert: true, ca: ca.cert, ALPNProtocols: ['h2', 'http/1.1'] })
  const tlsCertificates = [
    { certificateChain: { filename: client.certFile }, privateKey: { filename: client.keyFile } },
  ]
  const tls = plan(dns('a.example'), { sni: 'a.example' }, { tlsCertificates, alpnProtocols: ['http/1.1'] })
  expect((await say(port, tls)).text).toBe('a.example client http/1.1')
})

test.each([
  ['the name itself', dns('a.example')],
  ["a host of the certificate's wildcard", dns('x.b.example')],
  ['a URI', { ...TRUST, matchTypedSubjectAltNames: [{ sanType: 'URI', matcher: { prefix: 'spiffe://mesh/' } }] }],
  ['any name of a trusted root', TRUST],
])('takes %s', async (_what, validation) => {
  expect((await say(await serve(), plan(validation))).text).toBe('- - false')
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'says why a certificate is refused, and counts, with %s',
  async (maxVersion) => {
    const metrics = new MetricStore()
    const stats = new SslStats(metrics, 'cluster', { cluster_name: 'c' })
    const good = await serve(leaf, { maxVersion })
    const refuse = (port: number, validation: object, message: string | RegExp) =>
      expect(say(port, plan(validation), { stats })).rejects.toThrow(message)
    await refuse(good, { trustedCa: { inlineString: otherCa.cert } }, /unable to (verify|get)|self.signed/)
    await refuse(await serve(expired, { maxVersion }), TRUST, 'certificate has expired')
    await refuse(
      good,
      dns('c.example'),
      'the upstream\'s certificate is for dns "a.example", dns "*.b.example", uri "spiffe://mesh/a", ip "127.0.0.1", but must be for dns exact "c.example"',
    )
    await refuse(good, { ...TRUST, verifyCertificateHash: ['ab'.repeat(32)] }, 'none of the configured hashes')
    const counted = metrics.all().map(({ name, value }) => [name.slice('cluster.ssl.'.length), value])
    expect(Object.fromEntries(counted)).toMatchObject({
      handshake: 0,
      connection_error: 4,
      fail_verify_error: 2,
      fail_verify_san: 1,
      fail_verify_cert_hash: 1,
    })
  },
)

test('a server that speaks no TLS, or none that we take, is an error', async () => {
  const server = createPlain((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const stats = new SslStats(new MetricStore(), 'cluster', {})
  await expect(say((server.address() as { port: number }).port, plan(TRUST), { stats })).rejects.toThrow()
  const tls13 = plan(TRUST, {}, { tlsParams: { tlsMinimumProtocolVersion: 'TLSv1_3' } })
  await expect(say(await serve(leaf, { maxVersion: 'TLSv1.2' }), tls13, { stats })).rejects.toThrow()
  expect([stats.connection_error.value, stats.fail_verify_error.value]).toEqual([2, 0])
})

test('a connection that cannot be had is no error of TLS', async () => {
  const stats = new SslStats(new MetricStore(), 'cluster', {})
  const port = await serve()
  for (const server of servers.splice(0)) server.close()
  await expect(say(port, plan(TRUST), { stats })).rejects.toThrow(/ECONNREFUSED/)
  expect(stats.connection_error.value).toBe(0)
})

test('without trust anyone is believed', async () => {
  const tls = plan(undefined)
  expect((await say(await serve(expired), tls)).text).toBe('- - false')
})

test('names by request: SNI and certificate follow the host', async () => {
  const auto = { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } }
  const tls = plan(TRUST, {}, {}, auto)
  const port = await serve()
  expect((await say(port, tls, { host: 'a.example:8443' })).text).toBe('a.example - false')
  expect((await say(port, tls, { host: 'x.b.example' })).text).toBe('x.b.example - false')
  // An address is no SNI (RFC 6066 section 3), but must be in the certificate.
  expect((await say(port, tls, { host: '127.0.0.1:8443' })).text).toBe('- - false')
  await expect(say(port, tls, { host: 'evil.example' })).rejects.toThrow('must be for dns exact "evil.example"')
  await expect(say(port, tls, { host: '[::1]:443' })).rejects.toThrow('must be for ip exact "::1"')
  await expect(say(port, tls)).rejects.toThrow('but must be for')
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a session is resumed under its plan and name only, with %s',
  async (maxVersion) => {
    const port = await serve(leaf, { maxVersion })
    const stats = new SslStats(new MetricStore(), 'cluster', {})
    const tls = plan(TRUST, { sni: 'a.example' })
    expect((await say(port, tls, { stats })).isResumed).toBe(false)
    expect((await say(port, tls, { stats })).isResumed).toBe(true)
    expect([stats.handshake.value, stats.session_reused.value]).toEqual([2, 1])
    // Another trust, another plan: it must look at the certificate itself.
    await expect(say(port, plan(dns('c.example'), { sni: 'a.example' }))).rejects.toThrow('must be for')
    expect((await say(port, plan(TRUST, { sni: 'a.example' }))).isResumed).toBe(false)
    // Nor does one name speak for another.
    const auto = plan(TRUST, {}, {}, { upstreamHttpProtocolOptions: { autoSni: true, autoSanValidation: true } })
    expect((await say(port, auto, { host: 'a.example' })).isResumed).toBe(false)
    await expect(say(port, auto, { host: 'evil.example' })).rejects.toThrow('must be for')
    expect((await say(port, auto, { host: 'a.example' })).isResumed).toBe(true)
  },
)

test('a session is not kept from a refused connection, nor beyond its certificate, nor where none is wanted', async () => {
  const port = await serve(leaf, { maxVersion: 'TLSv1.2' })
  const refusing = plan(dns('c.example'))
  for (let i = 0; i < 2; i++) await expect(say(port, refusing)).rejects.toThrow('must be for')
  let leadMs = 0
  const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + leadMs }
  const tls = plan(TRUST)
  await say(port, tls, { clock })
  leadMs = 11 * 86_400_000
  expect((await say(port, tls, { clock })).isResumed).toBe(false)
  const without = plan(TRUST, { maxSessionKeys: 0 })
  await say(port, without)
  expect((await say(port, without)).isResumed).toBe(false)
})

test('bytes can be read into one buffer', async () => {
  const port = await serve()
  const buffer = Buffer.alloc(64)
  const text = await new Promise<string>((resolve, reject) => {
    let read = ''
    const onread = {
      buffer,
      callback: (length: number) => {
        read += buffer.toString('latin1', 0, length)
        return true
      },
    }
    const socket = connectUpstream(endpoint(port), plan(TRUST), { onread })
    socket.on('error', reject)
    socket.on('end', () => socket.end())
    socket.on('close', () => resolve(read))
  })
  expect(text).toBe('- - false')
})
