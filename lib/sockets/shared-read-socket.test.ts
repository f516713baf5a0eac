import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { afterAll, expect, test } from '@jest/globals'
import { TestCa } from '../../test/support/certificates.ts'
import { MeshError } from '../errors.ts'
import { libc } from './libc.ts'
import { descriptorOf } from './original-destination.ts'
import { acceptShared, generateReads, isSharedRead, lendTo, shareReads } from './shared-read-socket.ts'

async function serve(wants: boolean): Promise<{ server: Server; client: Socket; accepted: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = new Promise<Socket>((resolve) => {
    server.on('connection', resolve)
    acceptShared(server, () => wants, resolve)
  })
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  return { server, client, accepted: await accepted }
}

test('a reader is lent the bytes as they come, and answers go out as ever', async () => {
  const { server, client, accepted } = await serve(true)
  expect(isSharedRead(accepted)).toBe(true)
  const read = new Promise<string>((resolve) => {
    lendTo(accepted, { onLentBytes: (lent) => resolve(lent.toString('latin1')) })
  })
  client.write('ping')
  expect(await read).toBe('ping')
  accepted.end('pong')
  expect(String((await once(client, 'data'))[0])).toBe('pong')
  client.end()
  await once(accepted.resume(), 'end')
  server.close()
})

const SOL_TCP = 6
const TCP_NODELAY = 1

test('small writes leave at once', async () => {
  const { server, client, accepted } = await serve(true)
  const calls = libc()
  // The data path runs on Linux; elsewhere node sets the option.
  if (!(calls instanceof MeshError)) {
    const value = Buffer.alloc(4)
    const length = Buffer.from([4, 0, 0, 0])
    expect(calls.getsockopt(descriptorOf(accepted) as number, SOL_TCP, TCP_NODELAY, value, length)).toBe(0)
    expect(value.readInt32LE()).not.toBe(0)
  }
  client.destroy()
  accepted.destroy()
  server.close()
})

test('without a reader the bytes are copies, which stay as they are', async () => {
  const { server, client, accepted } = await serve(true)
  const chunks: Buffer[] = []
  accepted.on('data', (chunk: Buffer) => chunks.push(chunk))
  client.write('first')
  await once(accepted, 'data')
  client.end('other')
  await once(accepted, 'end')
  expect(chunks.map(String)).toEqual(['first', 'other'])
  accepted.end()
  server.close()
})

test('reads go where a generator says, and after it to the last buffer', async () => {
  const server = createServer((socket) => socket.on('data', (data) => socket.write(data)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const [own, other] = [Buffer.alloc(16), Buffer.alloc(16)]
  const reads: [text: string, buffer: Uint8Array][] = []
  let onRead = () => {}
  const callback = (length: number, buffer: Uint8Array) => {
    reads.push([Buffer.from(buffer.subarray(0, length)).toString(), buffer])
    onRead()
    return true
  }
  const client = connect({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    onread: { buffer: own, callback },
  })
  const echo = async (text: string) => {
    const isRead = new Promise<void>((resolve) => {
      onRead = resolve
    })
    client.write(text)
    await isRead
  }
  await echo('one')
  let asked = 0
  const generate = () => {
    if (++asked < 2) return other
    generateReads(client, undefined)
    return own
  }
  expect(generateReads(client, generate)).toBe(true)
  // Asked after this read, and after the next one.
  for (const text of ['two', 'three', 'four', 'five']) await echo(text)
  expect(reads.map(([text]) => text)).toEqual(['one', 'two', 'three', 'four', 'five'])
  expect(reads.map(([, buffer]) => buffer === own)).toEqual([true, true, false, true, true])
  expect(asked).toBe(2)
  client.destroy()
  server.close()
})

test('a paused connection is not read', async () => {
  const { server, client, accepted } = await serve(true)
  let bytes = 0
  lendTo(accepted, { onLentBytes: ({ length }) => (bytes += length) })
  accepted.pause()
  await new Promise((resolve) => client.write('x'.repeat(1000), resolve))
  await new Promise((resolve) => setImmediate(resolve))
  expect(bytes).toBe(0)
  accepted.resume()
  client.end()
  await once(accepted, 'end')
  expect(bytes).toBe(1000)
  accepted.end()
  server.close()
})

test('connections that are not wanted so are those of node', async () => {
  const { server, client, accepted } = await serve(false)
  expect(isSharedRead(accepted)).toBe(false)
  client.end()
  accepted.end()
  server.close()
})

const ca = new TestCa('shared-read')
afterAll(() => ca.remove())

/** A connection of TLS that shares reads from its handshake on. */
async function serveTls() {
  const server = createTlsServer({ ...ca.issue('a.example'), allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = new Promise<TLSSocket>((resolve) => {
    server.on('secureConnection', (socket) => {
      shareReads(socket)
      resolve(socket)
    })
  })
  const { port } = server.address() as AddressInfo
  const client = connectTls({ port, host: '127.0.0.1', ca: ca.cert, servername: 'a.example' })
  await once(client, 'secureConnect')
  return { server, client, accepted: await accepted }
}

test('a connection of TLS lends what it reads too', async () => {
  const { server, client, accepted } = await serveTls()
  expect(isSharedRead(accepted)).toBe(true)
  const lent: Buffer[] = []
  let text = ''
  lendTo(accepted, {
    onLentBytes(bytes) {
      lent.push(bytes)
      text += bytes.toString('latin1')
    },
  })
  accepted.resume()
  client.write('ping')
  client.end('pong')
  await once(accepted, 'end')
  expect(text).toBe('pingpong')
  expect(new Set(lent.map(({ buffer }) => buffer)).size).toBe(1)
  accepted.end('answer')
  expect(String((await once(client, 'data'))[0])).toBe('answer')
  server.close()
})

test('a paused connection of TLS is not read, however much comes', async () => {
  const { server, client, accepted } = await serveTls()
  const size = 4 * 1024 * 1024
  let bytes = 0
  lendTo(accepted, { onLentBytes: ({ length }) => (bytes += length) })
  accepted.pause()
  client.write(Buffer.alloc(size))
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  // Records that were here already are handed over.
  expect(bytes).toBeLessThan(256 * 1024)
  accepted.resume()
  client.end()
  await once(accepted, 'end')
  expect(bytes).toBe(size)
  accepted.end()
  server.close()
})

test('a connection that has read something already stays as it is', async () => {
  const { server, client, accepted } = await serve(false)
  client.write('early')
  accepted.read(0)
  while (accepted.readableLength === 0) await new Promise((resolve) => setImmediate(resolve))
  shareReads(accepted)
  expect(isSharedRead(accepted)).toBe(false)
  expect(String(accepted.read())).toBe('early')
  client.destroy()
  accepted.destroy()
  server.close()
})
