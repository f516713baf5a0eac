import { createServer, type Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { eventually } from '../../support/eventually.ts'
import { StaticProxy } from '../../support/static-proxy.ts'

/** How connections end whose client has asked for it with its request. */

let upstream: Server
let proxy: StaticProxy

beforeAll(async () => {
  upstream = createServer((request, response) => request.resume().on('end', () => response.end('answer')))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  proxy = await StaticProxy.start({ upstreams: [(upstream.address() as { port: number }).port] })
})

afterAll(async () => {
  await proxy.stop()
  upstream.closeAllConnections()
  upstream.close()
})

/** What is answered until the proxy closes its half. The client's half stays open. */
async function ask(text: string): Promise<{ socket: Socket; answer: string }> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
  const pieces: Buffer[] = []
  socket.write(text)
  await new Promise<void>((resolve, reject) => {
    socket.on('data', (piece: Buffer) => pieces.push(piece))
    socket.on('end', resolve)
    socket.once('error', reject)
  })
  socket.removeAllListeners('error')
  return { socket, answer: Buffer.concat(pieces).toString('latin1') }
}

const openConnections = () => proxy.metric('http.downstream_cx_active')

test('after the last answer nothing is waited for', async () => {
  const { socket, answer } = await ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/)
  expect(answer).toMatch(/\r\nconnection: close\r\n/)
  expect(answer).toMatch(/answer\r\n0\r\n\r\n$|\r\n\r\nanswer$/)
  // The client has not closed its half, and proxy and client share a thread: had the proxy waited for it, it still would.
  expect(openConnections()).toBe(0)
  socket.destroy()
})

test('what still comes behind a body makes no reset of the answer', async () => {
  const { socket, answer } = await ask('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi')
  expect(answer).toMatch(/answer/)
  // As some old clients do; it is read away.
  await new Promise<void>((resolve) => socket.write('\r\n', () => resolve()))
  const closed = new Promise<boolean>((resolve) => socket.once('close', (hadError) => resolve(hadError)))
  socket.end()
  expect(await closed).toBe(false)
  await eventually(() => expect(openConnections()).toBe(0))
})
