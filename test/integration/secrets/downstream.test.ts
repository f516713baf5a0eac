import { connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { adsSecret, certificateSecret, trustSecret } from '../../support/secrets.ts'
import { downstreamTls, httpChain, listener } from '../../support/static-resources.ts'
import { ask, exchange } from '../../support/tls-clients.ts'
import { type ApiType, XdsProxy, xdsBootstrap } from '../../support/xds-proxy.ts'
import { XdsServer } from '../../support/xds-server.ts'

const ca = new TestCa('mesh')
const otherCa = new TestCa('other')
const [a, b, c] = [ca.issue('a.example'), ca.issue('b.example'), ca.issue('c.example')]
const client = ca.issue('client')
const stopping: { stop(): unknown }[] = []

afterEach(async () => {
  for (const one of stopping.splice(0).reverse()) await one.stop()
})
afterAll(() => {
  ca.remove()
  otherCa.remove()
})

const API_TYPES: ApiType[] = ['GRPC', 'DELTA_GRPC']
const TRUST = { ca: ca.cert, checkServerIdentity: () => undefined }
const AS_CLIENT = { ...TRUST, cert: client.cert, key: client.key }

async function serve(): Promise<XdsServer> {
  const xds = await new XdsServer().start()
  stopping.push(xds)
  return xds
}

async function follow(xds: XdsServer, apiType: ApiType, options = {}): Promise<XdsProxy> {
  const proxy = await XdsProxy.start(xdsBootstrap(xds.port, apiType), options)
  stopping.push(proxy)
  return proxy
}

const secured = (common: object, fields: object = {}, text = 'hello') =>
  listener('in', { filter_chains: [httpChain(text, { transport_socket: downstreamTls(common, fields) })] })
const named = (name: string, timeout?: string) => ({
  tls_certificate_sds_secret_configs: [adsSecret(name, timeout)],
})

/** A connection that stays open, and what it says when it is asked. */
async function keepOpen(port: number): Promise<{ socket: TLSSocket; again(): Promise<string> }> {
  const socket = connect({ host: '127.0.0.1', port, ...TRUST })
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  const again = () =>
    new Promise<string>((resolve, reject) => {
      socket.once('data', (bytes) => resolve(bytes.toString().split('\r\n')[0] as string))
      socket.once('close', () => reject(new Error('closed')))
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    })
  return { socket, again }
}

test.each(API_TYPES)(
  'a listener waits for its certificate, and takes others while it serves, with %s',
  async (apiType) => {
    const xds = await serve()
    xds.set('listener', 'in', secured(named('server')))
    const proxy = await follow(xds, apiType)
    await eventually(() => expect(xds.asked('secret')).toEqual(['server']))
    await eventually(() => expect(proxy.agent.resources.warming.listeners).toEqual(['in']))
    expect([proxy.listenerNames, proxy.agent.isReady]).toEqual([[], false])

    xds.set('secret', 'server', certificateSecret(a))
    await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
    const port = proxy.port('in')
    expect((await ask(port, TRUST)).commonName).toBe('a.example')
    await eventually(() => expect(proxy.agent.isReady).toBe(true))

    const kept = await keepOpen(port)
    xds.set('secret', 'server', certificateSecret(b))
    await eventually(async () => expect((await ask(port, TRUST)).commonName).toBe('b.example'))
    expect(await kept.again()).toBe('HTTP/1.1 200 OK')
    expect(proxy.stat('listener.server_ssl_socket_factory.ssl_context_update_by_sds')).toBe(1)

    xds.set('secret', 'server', certificateSecret({ cert: c.cert, key: a.key }))
    await eventually(() => expect(xds.refusals).toHaveLength(1))
    expect(xds.refusals[0]).toMatch(/^server: tls_certificate: .*key values mismatch/)
    expect((await ask(port, TRUST)).commonName).toBe('b.example')
    expect(await kept.again()).toBe('HTTP/1.1 200 OK')
    expect(proxy.port('in')).toBe(port)

    xds.set('secret', 'server', certificateSecret(c))
    await eventually(async () => expect((await ask(port, TRUST)).commonName).toBe('c.example'))
    kept.socket.destroy()
  },
)

test.each(API_TYPES)('a changed listener goes on as it was until its new secret comes, with %s', async (apiType) => {
  const xds = await serve()
  xds.set('secret', 'first', certificateSecret(a))
  xds.set('listener', 'in', secured(named('first'), {}, 'one'))
  const proxy = await follow(xds, apiType)
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  const port = proxy.port('in')
  xds.set('listener', 'in', secured(named('second'), {}, 'two'))
  await eventually(() => expect(proxy.agent.resources.warming.listeners).toEqual(['in']))
  expect(await ask(port, TRUST)).toMatchObject({ text: 'one', commonName: 'a.example' })
  // Meanwhile the secret of the old one may still change.
  expect(xds.asked('secret')).toEqual(['first', 'second'])
  xds.set('secret', 'first', certificateSecret(b))
  await eventually(async () => expect(await ask(port, TRUST)).toMatchObject({ text: 'one', commonName: 'b.example' }))
  xds.set('secret', 'second', certificateSecret(c))
  await eventually(async () => expect(await ask(port, TRUST)).toMatchObject({ text: 'two', commonName: 'c.example' }))
  await eventually(() => expect(xds.asked('secret')).toEqual(['second']))
})

test('a listener whose secret does not come is served without: connections end until it does', async () => {
  const clock = new ManualClock(Date.now())
  const xds = await serve()
  xds.set('listener', 'in', secured(named('server', '3s')))
  const proxy = await follow(xds, 'GRPC', { clock })
  await eventually(() => expect(proxy.agent.resources.warming.listeners).toEqual(['in']))
  clock.advance(2_999)
  await new Promise(setImmediate)
  expect(proxy.listenerNames).toEqual([])
  clock.advance(1)
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  const port = proxy.port('in')
  await expect(ask(port, TRUST)).rejects.toThrow()
  expect(proxy.stat('listener.server_ssl_socket_factory.downstream_context_secrets_not_ready')).toBe(1)
  xds.set('secret', 'server', certificateSecret(a))
  await eventually(async () => expect((await ask(port, TRUST)).commonName).toBe('a.example'))
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a session under the old roots is worth nothing under the new ones, even with the same ticket keys, with %s',
  async (maxVersion) => {
    const xds = await serve()
    const keys = [{ inline_bytes: Buffer.alloc(80, 7).toString('base64') }]
    xds.set('secret', 'server', certificateSecret(a))
    xds.set('secret', 'roots', trustSecret(ca.cert))
    xds.set('secret', 'tickets', { session_ticket_keys: { keys } })
    const common = { ...named('server'), validation_context_sds_secret_config: adsSecret('roots') }
    const fields = {
      require_client_certificate: true,
      session_ticket_keys_sds_secret_config: adsSecret('tickets'),
    }
    xds.set('listener', 'in', secured(common, fields))
    const proxy = await follow(xds, 'GRPC')
    await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
    const port = proxy.port('in')
    const { session } = await exchange(port, { ...AS_CLIENT, maxVersion })
    if (session === undefined) throw new Error('no session')
    expect((await ask(port, { ...AS_CLIENT, maxVersion, session })).isResumed).toBe(true)
    xds.set('secret', 'roots', trustSecret(otherCa.cert))
    await eventually(() => expect(proxy.stat('listener.server_ssl_socket_factory.ssl_context_update_by_sds')).toBe(1))
    const resumed = proxy.stat('listener.ssl.session_reused')
    await expect(ask(port, { ...AS_CLIENT, maxVersion, session })).rejects.toThrow()
    expect(proxy.stat('listener.ssl.session_reused')).toBe(resumed)
    expect(proxy.stat('listener.ssl.fail_verify_error')).toBe(1)
  },
)

test('names of the listener and roots of the secret make one check', async () => {
  const xds = await serve()
  const matcher = (exact: string) => [{ san_type: 'DNS', matcher: { exact } }]
  const combined = (exact: string) => ({
    ...named('server'),
    combined_validation_context: {
      default_validation_context: { match_typed_subject_alt_names: matcher(exact) },
      validation_context_sds_secret_config: adsSecret('roots'),
    },
  })
  xds.set('secret', 'server', certificateSecret(a))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  const fields = { require_client_certificate: true }
  xds.set('listener', 'in', secured(combined('client'), fields))
  const proxy = await follow(xds, 'DELTA_GRPC')
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  expect((await ask(proxy.port('in'), AS_CLIENT)).text).toBe('hello')
  xds.set('listener', 'in', secured(combined('another'), fields))
  await eventually(() => expect(ask(proxy.port('in'), AS_CLIENT)).rejects.toThrow())
  // Roots that are none would trust nobody, and names without roots prove nothing.
  xds.set('secret', 'roots', trustSecret('no PEM'))
  await eventually(() => expect(xds.refusals).toHaveLength(1))
  xds.set('secret', 'roots', { validation_context: {} })
  await eventually(() => expect(xds.refusals).toHaveLength(2))
  xds.set('secret', 'roots', certificateSecret(b))
  await eventually(() => expect(xds.refusals).toHaveLength(3))
  xds.set('secret', 'roots', { generic_secret: { secret: { inline_string: 'x' } } })
  await eventually(() => expect(xds.refusals).toHaveLength(4))
  expect(xds.refusals).toEqual([
    'roots: validation_context.trusted_ca: holds no certificate in PEM',
    expect.stringContaining('names prove nothing without a trusted_ca'),
    expect.stringContaining('secret roots is a tls_certificate, a validation_context is needed'),
    'roots: generic_secret: not supported',
  ])
})

test.each(API_TYPES)(
  'a first secret that is bad is as if it had not come, but for the word of it, with %s',
  async (apiType) => {
    const xds = await serve()
    xds.set('secret', 'server', certificateSecret({ cert: a.cert, key: b.key }))
    xds.set('secret', 'second', certificateSecret(b))
    const both = { tls_certificate_sds_secret_configs: [adsSecret('server'), adsSecret('second')] }
    xds.set('listener', 'in', secured(both))
    const proxy = await follow(xds, apiType)
    await eventually(() => expect(xds.refusals.length).toBeGreaterThan(0))
    expect(proxy.listenerNames).toEqual([])
    expect(JSON.parse(await proxy.admin('/config_dump?resource=dynamic_warming_secrets'))).toMatchObject({
      configs: [{ name: 'server', error_state: { details: expect.stringContaining('key values mismatch') } }],
    })
    // The good one of the same response was taken.
    expect([...proxy.agent.resources.caches.secret.resources.keys()]).toEqual(['second'])
    xds.set('secret', 'server', certificateSecret(a))
    await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
    const names = ['a.example', 'b.example'].map((servername) => ask(proxy.port('in'), { ...TRUST, servername }))
    expect((await Promise.all(names)).map(({ commonName }) => commonName)).toEqual(['a.example', 'b.example'])
  },
)

test('secrets stay when the management server goes', async () => {
  const xds = await serve()
  xds.set('secret', 'server', certificateSecret(a))
  xds.set('listener', 'in', secured(named('server')))
  const proxy = await follow(xds, 'GRPC')
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  xds.stop()
  await eventually(() => expect(proxy.agent.xds?.isConnected).toBe(false))
  expect((await ask(proxy.port('in'), TRUST)).commonName).toBe('a.example')
})

test('a secret that nothing refers to any more is given back', async () => {
  const xds = await serve()
  xds.set('secret', 'server', certificateSecret(a))
  xds.set('listener', 'in', secured(named('server')))
  const proxy = await follow(xds, 'DELTA_GRPC')
  await eventually(() => expect(proxy.listenerNames).toEqual(['in']))
  xds.set('listener', 'in', listener('in', { filter_chains: [httpChain('plain')] }))
  await eventually(() => expect(xds.asked('secret')).toEqual([]))
  expect([...proxy.agent.resources.caches.secret.resources.keys()]).toEqual([])
})

test('keys are shown nowhere', async () => {
  const xds = await serve()
  xds.set('secret', 'server', certificateSecret(a))
  xds.set('listener', 'in', secured(named('server')))
  xds.set('listener', 'inline', {
    ...secured({
      tls_certificates: [{ certificate_chain: { inline_string: b.cert }, private_key: { inline_string: b.key } }],
    }),
    name: 'inline',
  })
  const staticSecret = { name: 'fixed', ...certificateSecret(c) }
  const proxy = await XdsProxy.start(xdsBootstrap(xds.port, 'GRPC', { secrets: [staticSecret] }))
  stopping.push(proxy)
  await eventually(() => expect(proxy.listenerNames.sort()).toEqual(['in', 'inline']))
  xds.set('secret', 'server', certificateSecret({ cert: a.cert, key: b.key }))
  await eventually(() => expect(xds.refusals).toHaveLength(1))
  const dump = await proxy.admin('/config_dump?include_eds')
  const said = [dump, await proxy.admin('/server_info'), ...proxy.logged, ...xds.refusals].join('\n')
  for (const { key } of [a, b, c]) {
    const line = key.split('\n')[2] as string
    expect(said.includes(line)).toBe(false)
    expect(said.includes(Buffer.from(key).toString('base64').slice(40, 80))).toBe(false)
  }
  const secrets = (JSON.parse(dump) as { configs: Record<string, unknown>[] }).configs.find((config) =>
    String(config['@type']).endsWith('SecretsConfigDump'),
  )
  expect(secrets).toMatchObject({
    static_secrets: [{ name: 'fixed', secret: { tls_certificate: { private_key: { inline_string: '[redacted]' } } } }],
    dynamic_active_secrets: [
      {
        name: 'server',
        secret: {
          name: 'server',
          tls_certificate: {
            certificate_chain: { inline_string: a.cert },
            private_key: { inline_string: '[redacted]' },
          },
        },
        error_state: { details: expect.stringContaining('key values mismatch') },
      },
    ],
  })
  expect(dump.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(4)
})
