import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { ManualClock } from '../../../lib/clock.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import {
  certificate,
  downstreamTls,
  httpChain,
  listener,
  resources,
  TLS_INSPECTOR,
} from '../../support/static-resources.ts'
import { ask, exchange, run, sendPlain } from '../../support/tls-clients.ts'

const ca = new TestCa('downstream')
const a = ca.issue('a.example')
const b = ca.issue('b.example', { keyType: 'rsa' })
const proxy = new BootstrapProxy()

const tls = (common: object, fields: object = {}) => ({ transport_socket: downstreamTls(common, fields) })

beforeAll(() =>
  proxy.serve(
    resources([
      listener('one', { filter_chains: [httpChain('one', tls({ tls_certificates: [certificate(a)] }))] }),
      listener('two', {
        listener_filters: [TLS_INSPECTOR],
        filter_chains: [
          httpChain('chain a', {
            filter_chain_match: { server_names: ['a.example'] },
            ...tls({ tls_certificates: [certificate(a)], alpn_protocols: ['http/1.1'] }),
          }),
          httpChain('chain b', {
            filter_chain_match: { server_names: ['*.example'], transport_protocol: 'tls' },
            ...tls({ tls_certificates: [certificate(b)] }),
          }),
          httpChain('plain', { filter_chain_match: { transport_protocol: 'raw_buffer' } }),
        ],
      }),
      listener('many', {
        filter_chains: [httpChain('many', tls({ tls_certificates: [certificate(a), certificate(b)] }))],
      }),
      listener('strict', {
        filter_chains: [
          httpChain(
            'strict',
            tls(
              {
                tls_certificates: [certificate(a)],
                tls_params: { tls_minimum_protocol_version: 'TLSv1_3' },
              },
              { require_sni: true },
            ),
          ),
        ],
      }),
    ]),
  ),
)
afterAll(() => {
  proxy.close()
  ca.remove()
})

test('curl is answered, with a certificate that it verifies', async () => {
  const port = proxy.port('one')
  const args = ['-sS', '--cacert', ca.certFile, '--resolve', `a.example:${port}:127.0.0.1`]
  const { code, output } = await run('curl', [...args, `https://a.example:${port}/`, `https://a.example:${port}/again`])
  expect([code, output]).toEqual([0, 'oneone'])
})

test.each(['-tls1_2', '-tls1_3'])('openssl is answered with %s', async (version) => {
  const args = ['s_client', '-connect', `127.0.0.1:${proxy.port('one')}`, '-CAfile', ca.certFile, version, '-ign_eof']
  const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  const { output } = await run('openssl', [...args, '-verify_return_error', '-servername', 'a.example'], request)
  expect(output).toContain('Verify return code: 0 (ok)')
  expect(output).toMatch(/HTTP\/1\.1 200 OK[\s\S]*one/)
})

test('older versions are refused, and counted', async () => {
  const before = proxy.stat('listener.ssl.connection_error')
  const args = ['s_client', '-connect', `127.0.0.1:${proxy.port('one')}`, '-tls1_1', '-cipher', 'ALL:@SECLEVEL=0']
  expect((await run('openssl', args)).code).not.toBe(0)
  await expect(ask(proxy.port('strict'), { ca: ca.cert, maxVersion: 'TLSv1.2' })).rejects.toThrow()
  await eventually(() => expect(proxy.stat('listener.ssl.connection_error')).toBe(before + 2))
})

test('the SNI chooses the chain, and plain text another', async () => {
  const port = proxy.port('two')
  const options = { ca: ca.cert }
  expect(await ask(port, { ...options, ALPNProtocols: ['x', 'http/1.1'] })).toEqual({
    text: 'chain a',
    isResumed: false,
    alpn: 'http/1.1',
    commonName: 'a.example',
  })
  expect(await ask(port, { ...options, servername: 'b.example' })).toMatchObject({ text: 'chain b', alpn: '' })
  expect(await sendPlain(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(/plain$/)
  const before = proxy.stat('listener.no_filter_chain_match')
  await expect(ask(port, { ...options, servername: 'other' })).rejects.toThrow()
  expect(proxy.stat('listener.no_filter_chain_match')).toBe(before + 1)
})

test('the SNI chooses the certificate of a chain', async () => {
  const port = proxy.port('many')
  const names = await Promise.all(
    ['a.example', 'b.example'].map((servername) => ask(port, { ca: ca.cert, servername })),
  )
  expect(names.map((answer) => answer.commonName)).toEqual(['a.example', 'b.example'])
  const unnamed = await ask(port, { ca: ca.cert, servername: '', checkServerIdentity: () => undefined })
  expect(unnamed.text).toBe('many')
})

test('without the SNI that is required a client is refused', async () => {
  const port = proxy.port('strict')
  expect((await ask(port, { ca: ca.cert })).text).toBe('strict')
  const unnamed = { ca: ca.cert, servername: '', checkServerIdentity: () => undefined }
  await expect(ask(port, unnamed)).rejects.toThrow()
})

test.each(['TLSv1.2', 'TLSv1.3'] as const)('a session of %s is resumed', async (maxVersion) => {
  const port = proxy.port('one')
  const before = proxy.stat('listener.ssl.session_reused')
  const first = await exchange(port, { ca: ca.cert, maxVersion })
  if (first.session === undefined) throw new Error('no session')
  const second = await ask(port, { ca: ca.cert, maxVersion, session: first.session })
  expect([first.answer.isResumed, second.isResumed, second.text]).toEqual([false, true, 'one'])
  expect(proxy.stat('listener.ssl.session_reused')).toBe(before + 1)
})

test('plain text and garbage on a TLS port are closed and counted', async () => {
  const before = proxy.stat('listener.ssl.connection_error')
  const handshakes = proxy.stat('listener.ssl.handshake')
  await sendPlain(proxy.port('one'), 'GET / HTTP/1.1\r\n\r\n')
  await sendPlain(proxy.port('one'), Buffer.from('160301ffff', 'hex'))
  await sendPlain(proxy.port('one'), Buffer.alloc(3000, 0x16))
  await eventually(() => expect(proxy.stat('listener.ssl.connection_error')).toBe(before + 3))
  expect(proxy.stat('listener.ssl.handshake')).toBe(handshakes)
  expect(proxy.stat('bug_total')).toBe(0)
})

test('ciphers are chosen up to TLS 1.2, and those of 1.3 stay on', async () => {
  const cipher_suites = ['[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-RSA-AES128-GCM-SHA256]']
  const some = await new BootstrapProxy().serve(
    resources([
      listener('l', {
        filter_chains: [httpChain('x', tls({ tls_certificates: [certificate(a)], tls_params: { cipher_suites } }))],
      }),
    ]),
  )
  const port = some.port('l')
  expect((await ask(port, { ca: ca.cert, minVersion: 'TLSv1.3' })).text).toBe('x')
  const old = { ca: ca.cert, maxVersion: 'TLSv1.2' } as const
  expect((await ask(port, { ...old, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).text).toBe('x')
  await expect(ask(port, { ...old, ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' })).rejects.toThrow()
  some.close()
})

test('a connection in plain text ends when its listener turns to TLS', async () => {
  const changing = await new BootstrapProxy().serve(resources([listener('l', { filter_chains: [httpChain('plain')] })]))
  const socket = connect(changing.port('l'), '127.0.0.1')
  const answers: string[] = []
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => {})
  socket.on('data', (chunk) => answers.push(chunk.toString()))
  const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
  socket.write(request)
  await eventually(() => expect(answers.join('')).toMatch(/plain$/))
  const secret = httpChain('secret', tls({ tls_certificates: [certificate(a)] }))
  await changing.serve(resources([listener('l', { filter_chains: [secret] })]))
  socket.write(request)
  await closed
  expect(answers.join('')).not.toContain('secret')
  expect((await ask(changing.port('l'), { ca: ca.cert })).text).toBe('secret')
  changing.close()
})

test('a handshake that does not end is ended, and so is a first message that does not come', async () => {
  const clock = new ManualClock(Date.now())
  const slow = await new BootstrapProxy({ clock }).serve(
    resources([
      listener('l', {
        filter_chains: [
          httpChain('x', { ...tls({ tls_certificates: [certificate(a)] }), transport_socket_connect_timeout: '2s' }),
        ],
      }),
      listener('inspected', {
        listener_filters: [TLS_INSPECTOR],
        listener_filters_timeout: '3s',
        filter_chains: [httpChain('x', tls({ tls_certificates: [certificate(a)] }))],
      }),
    ]),
  )
  const closed = ['l', 'inspected'].map((name) => sendPlain(slow.port(name), Buffer.from('1603010200', 'hex')))
  await eventually(() => expect(slow.plane.connectionCount).toBe(2))
  clock.advance(1990)
  expect(slow.plane.connectionCount).toBe(2)
  clock.advance(20)
  expect(await closed[0]).toBe('')
  expect(slow.stat('listener.downstream_cx_transport_socket_connect_timeout')).toBe(1)
  clock.advance(1000)
  expect(await closed[1]).toBe('')
  expect(slow.stat('listener.downstream_pre_cx_timeout')).toBe(1)
  await eventually(() => expect(slow.stat('listener.downstream_pre_cx_active')).toBe(0))
  expect(slow.plane.connectionCount).toBe(0)
  slow.close()
})
