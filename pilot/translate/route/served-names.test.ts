import { expect, test } from '@jest/globals'
import type { GatewayServer } from '../../mesh/gateway.ts'
import { ServerNames } from './served-names.ts'

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
const five = new ServerNames([exact, wild, deep, raw, clusters])

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
  expect(five.isOwn(name, of)).toBe(expected)
})

test('what has no virtual host is the server’s own and empty, or another’s', () => {
  expect(five.left(wild, ['example.com', 'www.example.com'])).toEqual({
    unbound: ['*.example.com'],
    misdirected: ['api.example.com', '*.dev.example.com', 'raw.example.com', '*'],
  })
  expect(five.left(exact, ['api.example.com'])).toEqual({ unbound: [], misdirected: ['*'] })
})

test('where all names are the server’s own, only those that others name are not', () => {
  expect(new ServerNames([all, exact]).left(all, [])).toEqual({ unbound: ['*'], misdirected: ['api.example.com'] })
  expect(new ServerNames([all]).left(all, ['*'])).toEqual({ unbound: [], misdirected: [] })
})

test('a thousand servers take no time', () => {
  const many = Array.from({ length: 1000 }, (_, i) => server([`${i}.example.com`]))
  const names = new ServerNames([...many, wild])
  expect(many.every((one, i) => names.isOwn(`${i}.example.com`, one))).toBe(true)
  expect(names.left(wild, []).misdirected.length).toBe(1001)
})
