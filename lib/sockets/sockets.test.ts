import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { MeshError } from '../errors.ts'
import { libc } from './libc.ts'
import { descriptorOf, originalDestination, originalDestinationError } from './original-destination.ts'
import { listenReusePort } from './reuse-port.ts'
import { decodeSockaddr, encodeSockaddr } from './sockaddr.ts'

// The data path runs on Linux; elsewhere there is nothing of this to test.
const onLinux = process.platform === 'linux' ? test : test.skip

test.each([
  ['127.0.0.1', 80],
  ['255.0.10.9', 65535],
  ['::1', 0],
  ['2001:db8::ff00:42', 15001],
])('a socket address of %s port %i is read as it was written', (address, port) => {
  expect(decodeSockaddr(encodeSockaddr(address, port) as Buffer)).toEqual({ address, port })
})

test('what is no IP address has no socket address', () => {
  expect(encodeSockaddr('localhost', 80)).toBeUndefined()
  expect(decodeSockaddr(Buffer.alloc(28))).toBeUndefined()
})

onLinux('two servers listen on one port, and both get connections', async () => {
  for (const address of ['127.0.0.1', '::1']) {
    const first = createServer()
    await listenOn(first, listenReusePort(address, 0, 16))
    const { port } = first.address() as { port: number }
    const second = createServer()
    await listenOn(second, listenReusePort(address, port, 16))
    const counts = [0, 0]
    const clients: Socket[] = []
    const both = new Promise<void>((resolve) => {
      ;[first, second].forEach((server, i) => {
        server.on('connection', (socket) => {
          socket.destroy()
          counts[i] = (counts[i] as number) + 1
          if (counts.every((count) => count > 0)) resolve()
          else clients.push(connect(port, address).on('error', () => {}))
        })
      })
    })
    clients.push(connect(port, address).on('error', () => {}))
    await both
    for (const client of clients) client.destroy()
    first.close()
    second.close()
  }
})

onLinux('a port that another holds without sharing is refused with a code', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  expect(() => listenReusePort('127.0.0.1', port, 16)).toThrow(/LISTEN_FAILED.*bind: errno 98/)
  expect(() => listenReusePort('nowhere', port, 16)).toThrow(/LISTEN_FAILED.*not an IP address/)
  other.close()
})

onLinux('the descriptor is closed on exec and does not block', () => {
  const fd = listenReusePort('127.0.0.1', 0, 1)
  const calls = libc()
  if (calls instanceof MeshError) throw calls
  const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
  const flags = Number.parseInt(/flags:\s+(\d+)/.exec(info)?.[1] ?? '', 8)
  expect(calls.close(fd)).toBe(0)
  expect(flags & 0o2004000).toBe(0o2004000)
})

onLinux('a connection that was not redirected has no original destination of another place', async () => {
  expect(originalDestinationError()).toBeUndefined()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const client = connect(port, '127.0.0.1')
  const socket = await accepted
  const fd = descriptorOf(socket) as number
  expect(fd).toBeGreaterThan(2)
  // Where connections are tracked the kernel names the very address that was connected to, else none.
  expect([undefined, { address: '127.0.0.1', port }]).toContainEqual(originalDestination(fd))
  socket.destroy()
  expect(descriptorOf(socket)).toBeUndefined()
  client.destroy()
  server.close()
})

function listenOn(server: ReturnType<typeof createServer>, fd: number): Promise<void> {
  return new Promise((resolve, reject) => server.once('error', reject).listen({ fd }, resolve))
}
