import { createServer, type Server, type Socket } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TestCa } from '../../test/support/certificates.ts'
import { TlsAcceptor, tlsAcceptor } from './acceptor.ts'
import type { TlsMaterial } from './material.ts'

const ca = new TestCa('acceptor')
const { cert, key } = ca.issue('a.example')
const material: TlsMaterial = {
  certificates: [
    { chainPath: '', chain: Buffer.from(cert), key: Buffer.from(key), pkcs12: undefined, passphrase: undefined },
  ],
  trustedCa: undefined,
  crl: undefined,
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  ciphers: '',
  curves: '',
  signatureAlgorithms: '',
  sessionTimeoutSeconds: 0,
  hasTickets: true,
  ticketKeys: undefined,
}
const options = { material, alpnProtocols: [], takesPeers: false, requestsCertificate: false }

const accepted: ((socket: Socket) => void)[] = []
const server: Server = createServer({ allowHalfOpen: true }, (socket) => accepted.shift()?.(socket))
let port = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as { port: number }).port
})
afterAll(() => {
  server.close()
  ca.remove()
})

const nextSocket = () => new Promise<Socket>((resolve) => accepted.push(resolve))

function handshake(acceptor: TlsAcceptor, socket: Socket): Promise<TLSSocket | 'failed'> {
  return new Promise((resolve) => {
    acceptor.accept(socket, { onSecure: resolve, onHandshakeFailed: () => resolve('failed') })
  })
}

test('each of several handshakes at a time ends with its own socket', async () => {
  const acceptor = new TlsAcceptor(options, 'test')
  const clients = []
  const secured = []
  for (let i = 0; i < 5; i++) {
    const socket = nextSocket()
    clients.push(connect({ port, host: '127.0.0.1', ca: ca.cert, servername: 'a.example' }))
    const raw = await socket
    secured.push(handshake(acceptor, raw).then((secure) => [(secure as TLSSocket).remotePort, raw.remotePort]))
  }
  for (const [secure, raw] of await Promise.all(secured)) expect(secure).toBe(raw)
  expect(acceptor.waitingCount).toBe(0)
  for (const client of clients) client.destroy()
})

test('a socket that closes before its handshake has failed, once', async () => {
  const acceptor = new TlsAcceptor(options, 'test')
  const socket = nextSocket()
  const client = connect({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  const raw = await socket
  let failures = 0
  const failed = new Promise<void>((resolve) => {
    acceptor.accept(raw, {
      onSecure: () => {},
      onHandshakeFailed: () => {
        failures++
        resolve()
      },
    })
  })
  raw.destroy()
  await failed
  client.destroy()
  expect([failures, acceptor.waitingCount]).toEqual([1, 0])
})

test('bytes that were put back are part of the handshake', async () => {
  const acceptor = new TlsAcceptor(options, 'test')
  const socket = nextSocket()
  const client = connect({ port, host: '127.0.0.1', ca: ca.cert, servername: 'a.example' })
  const raw = await socket
  const first = await new Promise<Buffer>((resolve) => raw.once('data', resolve))
  raw.pause()
  // In two pieces, the later one first.
  raw.unshift(first.subarray(7))
  raw.unshift(first.subarray(0, 7))
  const secure = await handshake(acceptor, raw)
  if (secure === 'failed') throw new Error('failed')
  const heard = new Promise<string>((resolve) => client.once('data', (chunk) => resolve(chunk.toString())))
  secure.write('hello')
  expect(await heard).toBe('hello')
  client.destroy()
})

test('acceptors that are alike are one', () => {
  expect(tlsAcceptor(options)).toBe(tlsAcceptor({ ...options }))
  expect(tlsAcceptor({ ...options, requestsCertificate: true })).not.toBe(tlsAcceptor(options))
  const broken = { ...material, certificates: [{ ...material.certificates[0]!, key: Buffer.from('x') }] }
  expect(() => tlsAcceptor({ ...options, material: broken })).toThrow()
})
