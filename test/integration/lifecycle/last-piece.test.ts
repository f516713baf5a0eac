import { readdirSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type Libc, libc } from '../../../lib/sockets/libc.ts'
import { descriptorOf } from '../../../lib/sockets/original-destination.ts'
import { StaticProxy } from '../../support/static-proxy.ts'

/*
 * A client that asked for the close is not waited for, but its answer is: the last piece of one too, for which the kernel has no
 * room while the client reads nothing. Answers of all lengths up to more than the kernel takes, so that one of them is so long
 * that its last piece is the first without room.
 */

const PIECE = Buffer.alloc(700, 'x')
const MOST_PIECES = 80
const SMALL_BYTES = 4096
const LARGE_BYTES = 1024 * 1024

/** socket(7) */
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_ACCEPTCONN = 30

const calls = libc() as Libc
const int = (value: number) => Buffer.from(new Int32Array([value]).buffer)

let upstream: Server
let proxy: StaticProxy
let answered = 0

beforeAll(async () => {
  upstream = createServer({ noDelay: true }, (socket) => {
    socket.on('data', (head: Buffer) => answer(socket, Number(/^GET \/(\d+)/.exec(head.toString('latin1'))?.[1])))
    socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  proxy = await StaticProxy.start({ upstreams: [(upstream.address() as { port: number }).port] })
  for (const fd of listeningDescriptors()) calls.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, int(SMALL_BYTES), 4)
})

afterAll(async () => {
  await proxy.stop()
  upstream.close()
})

/** Of this process; what they accept has their options. */
function listeningDescriptors(): number[] {
  const descriptors = readdirSync('/proc/self/fd').map(Number)
  return descriptors.filter((fd) => {
    const isListening = int(0)
    return calls.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, isListening, int(4)) === 0 && isListening.readInt32LE() === 1
  })
}

/** Each piece in turns of its own, so that it goes to the kernel by itself. */
async function answer(socket: Socket, pieces: number): Promise<void> {
  socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${pieces * PIECE.length}\r\n\r\n`)
  for (let i = 0; i < pieces; i++) {
    await turns(5)
    socket.write(PIECE)
  }
  answered++
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

/** A client that has asked for an answer of so many pieces, and reads nothing. */
async function ask(pieces: number): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1')
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  calls.setsockopt(descriptorOf(socket) as number, SOL_SOCKET, SO_RCVBUF, int(SMALL_BYTES), 4)
  socket.pause()
  socket.write(`GET /${pieces} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  return socket
}

/** How many bytes of content come until the connection ends. */
async function contentOf(socket: Socket): Promise<number> {
  calls.setsockopt(descriptorOf(socket) as number, SOL_SOCKET, SO_RCVBUF, int(LARGE_BYTES), 4)
  const pieces: Buffer[] = []
  for await (const piece of socket) pieces.push(piece)
  const answer = Buffer.concat(pieces)
  return answer.length - answer.indexOf('\r\n\r\n') - 4
}

test('an answer is whole, whichever of its pieces the kernel has no room for', async () => {
  const lengths = Array.from({ length: MOST_PIECES }, (_, i) => i + 1)
  const clients = await Promise.all(lengths.map(ask))
  while (answered < MOST_PIECES) await nextTurn()
  await turns(20)
  // Else nobody was ever without room.
  expect(proxy.metric('http.downstream_cx_active')).toBeGreaterThan(0)
  const contents = await Promise.all(clients.map(contentOf))
  expect(contents).toEqual(lengths.map((pieces) => pieces * PIECE.length))
}, 30_000)
