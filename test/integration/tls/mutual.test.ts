import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { type Issued, TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { certificate, downstreamTls, httpChain, listener, resources } from '../../support/static-resources.ts'
import { ask, exchange, run } from '../../support/tls-clients.ts'

const ca = new TestCa('mesh')
const otherCa = new TestCa('other')
const server = ca.issue('a.example')
const SPIFFE = 'spiffe://cluster.local/ns/default/sa/client'
const client = ca.issue('client', { altNames: [`URI:${SPIFFE}`] })
const stranger = otherCa.issue('client', { altNames: [`URI:${SPIFFE}`] })
const expired = ca.issue('client', { altNames: [`URI:${SPIFFE}`], days: -1 })
const misnamed = ca.issue('other', { altNames: ['URI:spiffe://cluster.local/ns/default/sa/other'] })

const validation = {
  trusted_ca: { filename: ca.certFile },
  match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: SPIFFE } }],
}
const common = { tls_certificates: [certificate(server)], validation_context: validation }
const LISTENERS = resources([
  listener('required', {
    filter_chains: [
      httpChain('hello', { transport_socket: downstreamTls(common, { require_client_certificate: true }) }),
    ],
  }),
  listener('optional', { filter_chains: [httpChain('hello', { transport_socket: downstreamTls(common) })] }),
  listener('any', {
    filter_chains: [
      httpChain('hello', {
        transport_socket: downstreamTls(
          { tls_certificates: [certificate(server)] },
          { require_client_certificate: true },
        ),
      }),
    ],
  }),
])

const proxy = new BootstrapProxy()
beforeAll(() => proxy.serve(LISTENERS))
afterAll(() => {
  proxy.close()
  ca.remove()
  otherCa.remove()
})

const as = (issued?: Issued) => ({ ca: ca.cert, ...(issued && { cert: issued.cert, key: issued.key }) })
const stat = (name: string) => proxy.stat(`listener.ssl.${name}`)

test('a client of the mesh is served, by openssl too', async () => {
  expect((await ask(proxy.port('required'), as(client))).text).toBe('hello')
  expect((await ask(proxy.port('optional'), as(client))).text).toBe('hello')
  const files = ['-cert', client.certFile, '-key', client.keyFile, '-CAfile', ca.certFile, '-ign_eof']
  const args = ['s_client', '-connect', `127.0.0.1:${proxy.port('required')}`, ...files]
  const { output } = await run('openssl', args, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(output).toContain('hello')
  expect(output).toContain('Acceptable client certificate CA names\nCN = mesh')
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'whoever is not of the mesh is refused and counted, with %s',
  async (version) => {
    const refuse = async (port: number, issued: Issued | undefined, counter: string) => {
      const [before, errors] = [stat(counter), stat('connection_error')]
      await expect(ask(port, { ...as(issued), maxVersion: version })).rejects.toThrow()
      await eventually(() => expect([stat(counter), stat('connection_error')]).toEqual([before + 1, errors + 1]))
    }
    await refuse(proxy.port('required'), undefined, 'fail_verify_no_cert')
    for (const port of [proxy.port('required'), proxy.port('optional')]) {
      await refuse(port, stranger, 'fail_verify_error')
      await refuse(port, expired, 'fail_verify_error')
      await refuse(port, misnamed, 'fail_verify_san')
    }
    await refuse(proxy.port('any'), undefined, 'fail_verify_no_cert')
  },
)

test('a certificate that is asked for may be left out where it is not required', async () => {
  const before = stat('no_certificate')
  expect((await ask(proxy.port('optional'), as())).text).toBe('hello')
  expect(stat('no_certificate')).toBe(before + 1)
})

test('without a trusted root any certificate will do', async () => {
  expect((await ask(proxy.port('any'), as(stranger))).text).toBe('hello')
})

async function resume(port: number, version: 'TLSv1.2' | 'TLSv1.3', between: () => unknown) {
  const options = { ...as(client), maxVersion: version }
  const first = await exchange(port, options)
  if (first.session === undefined) throw new Error('no session')
  await between()
  return ask(port, { ...options, session: first.session })
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a mutual session is resumed with its identity, with %s',
  async (version) => {
    const answer = await resume(proxy.port('required'), version, () => {})
    expect([answer.isResumed, answer.text]).toEqual([true, 'hello'])
  },
)

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a session is not resumed once another root is trusted, with %s',
  async (version) => {
    const changing = await new BootstrapProxy().serve(LISTENERS)
    const port = changing.port('required')
    const replaced = LISTENERS.replaceAll(ca.certFile, otherCa.certFile)
    await expect(resume(port, version, () => changing.serve(replaced))).rejects.toThrow()
    expect(changing.stat('listener.ssl.session_reused')).toBe(0)
    expect(changing.stat('listener.ssl.fail_verify_error')).toBe(1)
    changing.close()
  },
)

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a session is not resumed once its certificate has ended, with %s',
  async (version) => {
    let lead = 0
    const clock: Clock = { ...systemClock, wallMs: () => systemClock.wallMs() + lead }
    const later = await new BootstrapProxy({ clock }).serve(LISTENERS)
    const port = later.port('required')
    await expect(
      resume(port, version, () => {
        lead = 40 * 86_400_000
      }),
    ).rejects.toThrow()
    expect(later.stat('listener.ssl.fail_verify_error')).toBe(1)
    later.close()
  },
)
