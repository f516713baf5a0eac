import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTlsServer, connect as tlsConnect } from 'node:tls'
import { expect, test } from '@jest/globals'
import { TestCa } from '../../test/support/certificates.ts'
import { socketPair } from '../../test/support/socket-pair.ts'
import { addressOf, allowDirectWrites, writeNow } from './direct-write.ts'

/** Bytes that tell where they stand. */
function numbered(size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + (i >> 8)) & 255
  return bytes
}

test.each([true, false])(
  'bytes arrive in order, whoever writes them and however slowly they are read (direct: %s)',
  async (direct) => {
    const { near, far, close } = await socketPair()
    if (direct) allowDirectWrites(near)
    const piece = numbered(60_000)
    const sent: Buffer[] = []
    // Far more than the kernel takes: direct writes, cut ones, and ones that wait behind them.
    for (let i = 0; i < 200; i++) {
      const [start, end] = [i, piece.length - i * 7]
      writeNow(near, piece, addressOf(piece), start, end)
      sent.push(piece.subarray(start, end))
    }
    expect(near.writableLength).toBeGreaterThan(0)
    near.end()
    const received: Buffer[] = []
    far.on('data', (chunk: Buffer) => received.push(chunk))
    await once(far, 'end')
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true)
    close()
  },
)

test('what the kernel took is no longer read from the buffer', async () => {
  const { near, far, close } = await socketPair()
  allowDirectWrites(near)
  const bytes = Buffer.allocUnsafeSlow(5)
  bytes.write('hello')
  expect(writeNow(near, bytes, addressOf(bytes), 0, 5)).toBe(true)
  bytes.fill(0)
  expect(String((await once(far, 'data'))[0])).toBe('hello')
  close()
})

test('a peer that is gone is told of as by any write, and nothing is written after the end', async () => {
  const { near, far, close } = await socketPair()
  allowDirectWrites(near)
  const bytes = numbered(100)
  far.resetAndDestroy()
  await once(near.resume(), 'error')
  writeNow(near, bytes, addressOf(bytes), 0, 100)
  expect(near.destroyed).toBe(true)
  const other = await socketPair()
  allowDirectWrites(other.near)
  other.near.end()
  const failed = once(other.near, 'error')
  writeNow(other.near, bytes, addressOf(bytes), 0, 100)
  expect(String((await failed)[0])).toContain('write after end')
  close()
  other.close()
})

test('TLS needs the bytes no longer when nothing waited before them', async () => {
  const ca = new TestCa('direct')
  const server = createTlsServer(ca.issue('localhost')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'secureConnection')
  const port = (server.address() as AddressInfo).port
  const client = tlsConnect({ port, host: '127.0.0.1', ca: ca.cert, servername: 'localhost' })
  const [far] = (await accepted) as [Socket]
  const received: Buffer[] = []
  far.on('data', (chunk: Buffer) => received.push(chunk))
  const bytes = numbered(20_000)
  const sent: Buffer[] = []
  for (let i = 1; i <= 20; i++) {
    while (client.writableLength > 0) await new Promise((resolve) => setImmediate(resolve))
    sent.push(Buffer.from(bytes))
    expect(writeNow(client, bytes, addressOf(bytes), 0, bytes.length)).toBe(true)
    for (let j = 0; j < bytes.length; j++) bytes[j] = (bytes[j] as number) ^ i
  }
  expect(writeNow(client, Buffer.from('behind'), 0, 0, 6)).toBe(client.writableLength === 0)
  client.end()
  await once(far, 'end')
  expect(Buffer.concat(received).equals(Buffer.concat([...sent, Buffer.from('behind')]))).toBe(true)
  server.close()
  ca.remove()
})
