import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { BootstrapProxy } from '../../support/bootstrap-proxy.ts'
import { EchoServer } from '../../support/echo-server.ts'
import { eventually } from '../../support/eventually.ts'
import { freePort } from '../../support/free-port.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { cluster, listener, resources, typed } from '../../support/static-resources.ts'
import { keySetOf, makeKey, makeToken, type SigningKey } from '../../support/tokens.ts'

/** Keys that a server has, fetched by the proxy itself through a cluster of its own. */

const first = makeKey('first', 'ES256')
const second = makeKey('second', 'ES256')
const ISSUER = 'https://issuer.test'
const GOOD = { iss: ISSUER, sub: 'alice' }

/** Answers with these keys, and counts. */
class KeyServer {
  text = keySetOf([first])
  status = 200
  asked = 0
  readonly #server: Server = createServer((_request, response) => {
    this.asked++
    response.writeHead(this.status).end(this.text)
  })

  listen(port = 0): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(port, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

const keys = new Set<KeyServer>()
let proxy: BootstrapProxy | undefined
/** How far the proxy's clock is ahead. */
let aheadMs = 0
const upstream = new EchoServer('up')

afterEach(() => {
  aheadMs = 0
  proxy?.close()
  upstream.close()
  for (const server of keys) server.close()
  keys.clear()
})

async function start(keyPort: number, cacheSeconds = 600): Promise<BootstrapProxy> {
  const upstreamPort = await freePort()
  await upstream.listen(upstreamPort, '127.0.0.1')
  const provider = {
    issuer: ISSUER,
    remote_jwks: {
      http_uri: { uri: 'http://keys.test/jwks?a=1', cluster: 'keys', timeout: '1s' },
      cache_duration: `${cacheSeconds}s`,
    },
  }
  const jwt = typed('filters.http.jwt_authn.v3.JwtAuthentication', {
    providers: { p: provider },
    rules: [{ match: { prefix: '/' }, requires: { provider_name: 'p' } }],
  })
  const manager = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'h',
    http_filters: [
      { name: 'jwt', typed_config: jwt },
      { name: 'router', typed_config: typed('filters.http.router.v3.Router') },
    ],
    route_config: {
      virtual_hosts: [{ name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] }],
    },
  })
  const chain = { filters: [{ name: 'http', typed_config: manager }] }
  const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs }
  proxy = await new BootstrapProxy({ clock }).serve(
    resources(
      [listener('in', { filter_chains: [chain] })],
      [cluster('up', [upstreamPort]), cluster('keys', [keyPort])],
    ),
  )
  return proxy
}

async function ask(key: SigningKey, body = ''): Promise<string> {
  const lines = ['POST / HTTP/1.1', 'host: h', 'connection: close', `content-length: ${body.length}`]
  lines.push(`authorization: Bearer ${makeToken(key, GOOD)}`)
  const response = await sendRaw('127.0.0.1', proxy?.port('in') ?? 0, `${lines.join('\r\n')}\r\n\r\n${body}`)
  return response.status === 200 ? `200 ${JSON.parse(response.body).body}` : `${response.status} ${response.body}`
}

async function keyServer(): Promise<[KeyServer, number]> {
  const server = new KeyServer()
  keys.add(server)
  return [server, await server.listen()]
}

test('keys are fetched before the first request, and once for many', async () => {
  const [server, port] = await keyServer()
  await start(port)
  await eventually(() => expect(server.asked).toBe(1))
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(first, `body ${i}`)))
  expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => `200 body ${i}`))
  expect(server.asked).toBe(1)
})

test('a key that is not known has them fetched again, and then no more for a while', async () => {
  const [server, port] = await keyServer()
  const running = await start(port, 600)
  await eventually(() => expect(running.stat('jwt_authn.jwks_fetch_success')).toBe(1))
  server.text = keySetOf([second])
  // The keys of just now are believed for a while, whatever tokens come.
  expect(await ask(second)).toBe("401 Jwks doesn't have key to match kid or alg from Jwt")
  expect(await ask(second)).toBe("401 Jwks doesn't have key to match kid or alg from Jwt")
  expect(server.asked).toBe(1)
  expect(await ask(first)).toBe('200 ')
  aheadMs = 10_000
  expect(await ask(second)).toBe('200 ')
  expect(await ask(makeKey('third', 'ES256'))).toBe("401 Jwks doesn't have key to match kid or alg from Jwt")
  expect(server.asked).toBe(2)
})

test('while the server cannot be reached at first, every token is refused; then it is asked again', async () => {
  const port = await freePort()
  const running = await start(port)
  expect(await ask(first)).toBe('401 Jwks remote fetch is failed')
  await eventually(() => expect(running.stat('jwt_authn.jwks_fetch_failed')).toBeGreaterThan(0))
  const server = new KeyServer()
  keys.add(server)
  await server.listen(port)
  await eventually(async () => expect(await ask(first)).toBe('200 '))
})

test.each([
  ['an error', 500, keySetOf([first])],
  ['no key set', 200, '{"keys":1}'],
  ['too much', 200, `{"keys":[],"x":"${'x'.repeat(300_000)}"}`],
])('a server that answers with %s is as one that does not answer', async (_name, status, text) => {
  const [server, port] = await keyServer()
  server.status = status
  server.text = text
  await start(port)
  expect(await ask(first)).toBe('401 Jwks remote fetch is failed')
})

test('a server that fails later leaves the keys of before', async () => {
  const [server, port] = await keyServer()
  const running = await start(port, 0.2)
  await eventually(() => expect(running.stat('jwt_authn.jwks_fetch_success')).toBeGreaterThan(0))
  server.close()
  await eventually(() => expect(running.stat('jwt_authn.jwks_fetch_failed')).toBeGreaterThan(0))
  expect(await ask(first)).toBe('200 ')
})

test('new keys of the server take the place of the old ones in the background', async () => {
  const [server, port] = await keyServer()
  await start(port, 0.2)
  await eventually(async () => expect(await ask(first)).toBe('200 '))
  server.text = keySetOf([second])
  await eventually(async () => expect(await ask(first)).toMatch(/^401/))
  expect(await ask(second)).toBe('200 ')
})
