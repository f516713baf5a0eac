import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { hostsOverlap, hostWithin, isExportedTo, resolveGateway, resolveHost, splitNamespacedHost } from './hosts.ts'

test('only names without a dot are completed', () => {
  expect(resolveHost('a', 'ns')).toBe('a.ns.svc.cluster.local')
  for (const host of ['a.b', '*', '*.b', '10.0.0.1', '::1', '']) expect(resolveHost(host, 'ns')).toBe(host)
})

test.each([
  ['a.b', 'a.b', true],
  ['a.b', '*.b', true],
  ['*.a.b', '*.b', true],
  ['*.b', '*.b', true],
  ['*', '*', true],
  ['a', '*', true],
  ['b', '*.b', false],
  ['.b', '*.b', false],
  ['*.b', '*.a.b', false],
  ['*.b', 'a.b', false],
  ['xb', '*.b', false],
])('%s is within %s: %s', (host, pattern, within) => {
  expect(hostWithin(host, pattern)).toBe(within)
})

test('what is within is matched by all that matches', () => {
  const pattern = fc
    .tuple(fc.boolean(), fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }))
    .map(([wild, labels]) => [...(wild ? ['*'] : []), ...labels].join('.'))
    .filter((text) => text !== '')
  const name = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'))
  fc.assert(
    fc.property(pattern, pattern, name, (a, b, host) => {
      if (hostWithin(host, a) && hostWithin(a, b)) expect(hostWithin(host, b)).toBe(true)
      if (hostWithin(host, a) && hostWithin(host, b)) expect(hostsOverlap(a, b)).toBe(true)
    }),
  )
})

test('visibility and references', () => {
  expect(isExportedTo(undefined, 'a', 'b')).toBe(true)
  expect(isExportedTo(['.'], 'a', 'b')).toBe(false)
  expect(isExportedTo(['.', 'b'], 'a', 'b')).toBe(true)
  expect(isExportedTo(['~'], 'a', 'a')).toBe(false)
  expect(splitNamespacedHost('./a')).toEqual({ namespace: '.', host: 'a' })
  expect(splitNamespacedHost('a')).toEqual({ namespace: '*', host: 'a' })
  expect(resolveGateway('g', 'ns')).toBe('ns/g')
  expect(resolveGateway('./g', 'ns')).toBe('ns/g')
  expect(resolveGateway('o/g', 'ns')).toBe('o/g')
})
