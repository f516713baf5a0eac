import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { MemorySource } from '../../../config/sources/memory.ts'
import { eventually } from '../../support/eventually.ts'
import { loopbackBlock, Mesh, type Workload } from '../../support/mesh.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { keySetOf, makeKey, makeToken, type SigningKey } from '../../support/tokens.ts'

/** From a policy with a jwksUri to a gateway that refuses tokens and routes by what they say. */

const PORT = 8085
const first = makeKey('first', 'RS256')
const second = makeKey('second', 'RS256')
const gateway: Workload = {
  type: 'router',
  name: 'gw-1',
  ip: `${loopbackBlock()}.1`,
  labels: { istio: 'ingressgateway' },
}

let keys = keySetOf([first])
let asked = 0
let server: Server
let source: MemorySource
let mesh: Mesh

beforeAll(async () => {
  server = createServer((_request, response) => {
    asked++
    response.end(keys)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  source = new MemorySource({ 'mesh.yaml': BASE, 'policy.yaml': policy((server.address() as AddressInfo).port) })
  mesh = new Mesh(source)
  await mesh.start()
  await mesh.addProxy(gateway)
  await eventually(async () => expect((await ask()).status).toBe(200))
}, 20_000)

afterAll(async () => {
  await mesh.stop()
  source.close()
  server.close()
})

const BASE = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: gw }
spec:
  selector: { istio: ingressgateway }
  servers: [{ port: { number: ${PORT}, name: http, protocol: HTTP }, hosts: ['*'], bind: ${gateway.ip} }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: vs }
spec:
  hosts: ['*']
  gateways: [gw]
  http:
    - match: [{ headers: { '@request.auth.claims.roles': { exact: admin } } }]
      directResponse: { status: 200, body: { string: admins } }
    - directResponse: { status: 200, body: { string: all } }
`

function policy(port: number): string {
  return `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens }
spec:
  selector: { matchLabels: { istio: ingressgateway } }
  jwtRules: [{ issuer: a, jwksUri: 'http://127.0.0.1:${port}/keys' }]
`
}

function ask(token?: string) {
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`
  return sendRaw(gateway.ip, PORT, `GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n${authorization}\r\n`)
}

const tokenOf = (key: SigningKey, claims: object = {}) => makeToken(key, { iss: 'a', sub: 's', ...claims })

test('the first configuration of a proxy has the keys already', async () => {
  expect(asked).toBe(1)
  expect((await ask(tokenOf(first))).body).toBe('all')
  expect((await ask()).body).toBe('all')
  const refused = await ask(tokenOf(second))
  expect([refused.status, refused.headers['www-authenticate']]).toEqual([
    401,
    'Bearer realm="http://h/", error="invalid_token"',
  ])
})

test('routes go by the claims of a token that was accepted, and by no other', async () => {
  expect((await ask(tokenOf(first, { roles: ['user', 'admin'] }))).body).toBe('admins')
  expect((await ask(tokenOf(first, { roles: 'admin' }))).body).toBe('admins')
  expect((await ask(tokenOf(first, { roles: ['user'] }))).body).toBe('all')
  expect((await ask(tokenOf(second, { roles: ['admin'] }))).status).toBe(401)
})

test('another source of keys is fetched before its rule is served', async () => {
  keys = keySetOf([second])
  const { port } = server.address() as AddressInfo
  source.set('policy.yaml', policy(port).replace('/keys', '/others'))
  await eventually(async () => expect((await ask(tokenOf(second))).body).toBe('all'))
  expect((await ask(tokenOf(first))).status).toBe(401)
  expect(mesh.pilot.jwks.status()).toEqual([
    { source: `http://127.0.0.1:${port}/others`, state: 'good', keys: 1, lastError: null },
  ])
})
