import { expect, test } from '@jest/globals'
import type { GatewayPort, GatewayServer } from '../../mesh/gateway.ts'
import { isOwn, servedNames } from './served-names.ts'

function server(
  hosts: readonly string[],
  mode: 'SIMPLE' | 'PASSTHROUGH' | 'AUTO_PASSTHROUGH' = 'SIMPLE',
): GatewayServer {
  return {
    gateway: 'default/gateway',
    server: { port: { number: 443, name: 'a', protocol: 'HTTPS' }, hosts: [...hosts], tls: { mode } },
    protocol: 'HTTPS',
    hosts: hosts.map((host) => ({ namespace: '*', host })),
    origin: { kind: 'Gateway', namespace: 'default', name: 'gateway', file: 'a.yaml', line: 1 },
  }
}

const exact = server(['api.example.com'])
const wild = server(['*.example.com', 'example.com'])
const deep = server(['*.dev.example.com'])
const raw = server(['raw.example.com'], 'PASSTHROUGH')
const clusters = server(['*.local'], 'AUTO_PASSTHROUGH')
const all = server(['*'])
const port = (...servers: GatewayServer[]): GatewayPort => {
  return { bind: '0.0.0.0', port: 443, serverPort: 443, mode: 'tls', servers }
}
const five = port(exact, wild, deep, raw, clusters)

test.each<[string, GatewayServer, boolean]>([
  ['api.example.com', exact, true],
  ['api.example.com', wild, false],
  ['www.example.com', wild, true],
  ['a.dev.example.com', wild, false],
  ['*.dev.example.com', wild, false],
  ['*.x.dev.example.com', wild, false],
  ['*.x.dev.example.com', deep, true],
  ['raw.example.com', wild, false],
  ['elsewhere.org', wild, false],
])('%s is own to the server of %j: %j', (name, of, expected) => {
  expect(isOwn(name, of, five)).toBe(expected)
})

test('what has no virtual host is the server’s own and empty, or another’s', () => {
  expect(servedNames(wild, five, ['example.com', 'www.example.com'])).toEqual({
    unbound: ['*.example.com'],
    misdirected: ['api.example.com', '*.dev.example.com', 'raw.example.com', '*'],
  })
  expect(servedNames(exact, five, ['api.example.com'])).toEqual({ unbound: [], misdirected: ['*'] })
})

test('where all names are the server’s own, only those that others name are not', () => {
  expect(servedNames(all, port(all, exact), [])).toEqual({ unbound: ['*'], misdirected: ['api.example.com'] })
  expect(servedNames(all, port(all), ['*'])).toEqual({ unbound: [], misdirected: [] })
})
