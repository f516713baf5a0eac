import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { builtCli } from '../../e2e/built.ts'
import { TestCa } from '../../support/certificates.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { adsSecret, certificateSecret, trustSecret } from '../../support/secrets.ts'
import { cluster, downstreamTls, forwardChain, listener, upstreamTls } from '../../support/static-resources.ts'
import { xdsBootstrap } from '../../support/xds-proxy.ts'
import { XdsServer } from '../../support/xds-server.ts'

/** A proxy with two worker threads that takes its secrets from a management server: both serve and ask by the same ones. */

const HOST = `${loopbackBlock()}.10`
const [ADMIN, PORT] = [15000, 9443]
/** So many connections that, evenly spread, no worker gets none but once in 2^29 runs. */
const CONNECTIONS = 30

const ca = new TestCa('mesh')
const [a, b, c] = [ca.issue('a.example'), ca.issue('b.example'), ca.issue('c.example')]
const upstreamIssued = ca.issue('upstream')
const xds = new XdsServer()
let upstream: Server
let proxy: ChildProcess
let dir = ''

beforeAll(async () => {
  const cli = builtCli()
  const options = { cert: upstreamIssued.cert, key: upstreamIssued.key, ca: ca.cert, requestCert: true }
  upstream = createServer(options, (request, response) => {
    response.setHeader('connection', 'close')
    response.end(String((request.socket as TLSSocket).getPeerCertificate().subject?.CN))
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  await xds.start()
  const client = {
    tls_certificate_sds_secret_configs: [adsSecret('client')],
    validation_context_sds_secret_config: adsSecret('roots'),
  }
  const { port } = upstream.address() as { port: number }
  xds.set('cluster', 'up', cluster('up', [port], { transport_socket: upstreamTls(client) }))
  const server = { tls_certificate_sds_secret_configs: [adsSecret('server')] }
  const address = { socket_address: { address: HOST, port_value: PORT } }
  const chain = forwardChain('up', { transport_socket: downstreamTls(server) })
  xds.set('listener', 'in', { ...listener('in', { filter_chains: [chain] }), address })

  const bootstrap = JSON.parse(xdsBootstrap(xds.port, 'DELTA_GRPC'))
  bootstrap.admin.address.socket_address = { address: HOST, port_value: ADMIN }
  dir = mkdtempSync(join(tmpdir(), 'lateen-secrets-'))
  writeFileSync(join(dir, 'proxy.json'), JSON.stringify(bootstrap))
  const args = ['proxy', '-c', join(dir, 'proxy.json'), '--workers', '2', '--drain-time-s', '0']
  proxy = spawn(process.execPath, [cli, ...args], { stdio: 'ignore' })
}, 60_000)

afterAll(async () => {
  const exited = new Promise((resolve) => proxy.once('exit', resolve))
  proxy.kill('SIGTERM')
  await exited
  xds.stop()
  upstream.close()
  upstream.closeAllConnections()
  ca.remove()
  rmSync(dir, { recursive: true, force: true })
})

const line = (path: string, connection = 'close') =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\n\r\n`

/** Whom the proxy says it is, and who it was to the upstream, on a connection of its own. */
function ask(): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: HOST, port: PORT, ca: ca.cert, checkServerIdentity: () => undefined })
    let text = ''
    let name = ''
    socket.on('secureConnect', () => {
      name = String(socket.getPeerCertificate().subject?.CN)
      socket.write(line('/'))
    })
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('error', reject)
    socket.on('close', () => resolve(`${name} ${/^HTTP\/1.1 (\d+)/.exec(text)?.[1]} ${text.split(/\r\n/).at(-1)}`))
  })
}

const askMany = async () => [...new Set(await Promise.all(Array.from({ length: CONNECTIONS }, ask)))]

test('secrets reach every worker, and so do new ones', async () => {
  await eventually(() => expect(xds.asked('secret')).toEqual(['client', 'roots', 'server']))
  expect((await sendRaw(HOST, ADMIN, line('/ready'))).status).toBe(503)
  xds.set('secret', 'server', certificateSecret(a))
  xds.set('secret', 'client', certificateSecret(a))
  xds.set('secret', 'roots', trustSecret(ca.cert))
  await eventually(async () => expect((await sendRaw(HOST, ADMIN, line('/ready'))).status).toBe(200))
  await eventually(async () => expect(await askMany()).toEqual(['a.example 200 a.example']))

  const kept = connect({ host: HOST, port: PORT, ca: ca.cert, checkServerIdentity: () => undefined })
  await new Promise((resolve, reject) => kept.once('secureConnect', resolve).once('error', reject))
  xds.set('secret', 'server', certificateSecret(b))
  xds.set('secret', 'client', certificateSecret(c))
  await eventually(async () => expect(await askMany()).toEqual(['b.example 200 c.example']))

  xds.set('secret', 'server', certificateSecret({ cert: c.cert, key: a.key }))
  await eventually(() => expect(xds.refusals).toEqual([expect.stringMatching(/^server: tls_certificate: .*mismatch/)]))
  expect(await askMany()).toEqual(['b.example 200 c.example'])
  const answered = new Promise((resolve) => kept.once('data', (bytes) => resolve(bytes.toString().slice(0, 15))))
  kept.write(line('/', 'keep-alive'))
  expect(await answered).toBe('HTTP/1.1 200 OK')
  kept.destroy()
}, 60_000)

test('files that a secret names are read again by every worker', async () => {
  const put = ({ cert, key }: typeof a) => {
    writeFileSync(join(dir, 'tls.crt'), cert)
    writeFileSync(join(dir, 'tls.key'), key)
  }
  put(a)
  const files = {
    certificate_chain: { filename: join(dir, 'tls.crt') },
    private_key: { filename: join(dir, 'tls.key') },
  }
  xds.set('secret', 'server', { tls_certificate: files })
  await eventually(async () => expect(await askMany()).toEqual(['a.example 200 c.example']))
  put(b)
  await eventually(async () => expect(await askMany()).toEqual(['b.example 200 c.example']))
}, 60_000)
