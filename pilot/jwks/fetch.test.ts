import { createServer, type RequestListener } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { ManualClock } from '../../lib/clock.ts'
import { TestCa } from '../../test/support/certificates.ts'
import { fetchText } from './fetch.ts'

const clock = new ManualClock()
const options = { timeoutMs: 1000, maxBytes: 100, clock }
const servers: (Server & { closeAllConnections(): void })[] = []

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(listener: RequestListener, tls?: { cert: string; key: string }): Promise<number> {
  const server = tls === undefined ? createServer(listener) : createHttps(tls, listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

test('the content at a URL', async () => {
  const port = await serve((request, response) => response.end(request.url))
  expect(await fetchText(`http://127.0.0.1:${port}/a?b`, options)).toBe('/a?b')
})

test.each<[string, RequestListener, string]>([
  ['another status', (_request, response) => response.writeHead(404).end(), 'status 404'],
  ['a redirect', (_request, response) => response.writeHead(302, { location: '/' }).end(), 'status 302'],
  ['too much', (_request, response) => response.end('x'.repeat(101)), 'it has more than 100 bytes'],
  ['a break', (request) => request.socket.destroy(), 'socket hang up'],
])('%s is a failure', async (_name, listener, reason) => {
  const port = await serve(listener)
  await expect(fetchText(`http://127.0.0.1:${port}/`, options)).rejects.toThrow(reason)
})

test('a server that says nothing is given up', async () => {
  const port = await serve((_request, response) => {
    response.writeHead(200).write('a')
    clock.advance(1000)
  })
  await expect(fetchText(`http://127.0.0.1:${port}/`, options)).rejects.toThrow('no answer in 1000 ms')
})

test('only http and https are spoken', async () => {
  await expect(fetchText('file:///etc/passwd', options)).rejects.toThrow('it is no URL of http or https')
})

test('a certificate that nobody vouches for is refused', async () => {
  const ca = new TestCa('keys')
  const issued = ca.issue('keys', { altNames: ['IP:127.0.0.1'] })
  const port = await serve((_request, response) => response.end('ok'), issued)
  const url = `https://127.0.0.1:${port}/`
  await expect(fetchText(url, options)).rejects.toThrow(/certificate/)
  expect(await fetchText(url, { ...options, ca: [ca.cert] })).toBe('ok')
  ca.remove()
})
