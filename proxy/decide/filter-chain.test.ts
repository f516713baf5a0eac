import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { FilterChainPlan, ListenerPlan } from '../plan/plan.ts'
import { listenerPlan, tcpChain } from '../plan/testing.ts'
import { type ConnectionFacts, connectionFacts } from './connection-facts.ts'
import { findFilterChain } from './filter-chain.ts'
import { narrow } from './filter-chain-trace.ts'
import type { Trace } from './trace.ts'

const chain = (name: string, filterChainMatch: object = {}) => tcpChain('c', { name, filterChainMatch })
const cidr = (text: string) => {
  const [addressPrefix, prefixLen] = text.split('/')
  return { addressPrefix, prefixLen: Number(prefixLen) }
}

function listener(matches: Record<string, object>, fallback = false): ListenerPlan {
  return listenerPlan({
    filterChains: Object.entries(matches).map(([name, match]) => chain(name, match)),
    ...(fallback && { defaultFilterChain: chain('default') }),
  })
}

const find = (plan: ListenerPlan, facts: Partial<ConnectionFacts>) =>
  findFilterChain(plan, connectionFacts(facts))?.name

test('the port is looked at first, and never gone back on', () => {
  const plan = listener({ any: {}, port: { destinationPort: 80, serverNames: ['a'] } }, true)
  expect(find(plan, { destinationPort: 80, serverName: 'a' })).toBe('port')
  // The port has a chain, so chains for any port are out: the default is left.
  expect(find(plan, { destinationPort: 80, serverName: 'b' })).toBe('default')
  expect(find(plan, { destinationPort: 81, serverName: 'b' })).toBe('any')
})

test('the longest prefix of the destination wins', () => {
  const plan = listener({
    wide: { prefixRanges: [cidr('10.0.0.0/8')] },
    narrow: { prefixRanges: [cidr('10.1.0.0/16'), cidr('2001:db8::/32')] },
    one: { prefixRanges: [cidr('10.1.2.3/32')] },
    any: {},
  })
  const addresses = ['10.9.9.9', '10.1.9.9', '10.1.2.3', '2001:db8::5', '11.0.0.1', '']
  expect(addresses.map((destinationAddress) => find(plan, { destinationAddress }))).toEqual([
    'wide',
    'narrow',
    'one',
    'narrow',
    'any',
    'any',
  ])
})

test('a server name is met exactly, then by the longest wildcard', () => {
  const plan = listener({
    exact: { serverNames: ['a.b.example'] },
    long: { serverNames: ['*.b.example'] },
    short: { serverNames: ['*.Example'] },
    any: {},
  })
  const names = ['a.b.example', 'x.b.example', 'x.y.b.example', 'c.example', 'example', 'other', '']
  expect(names.map((serverName) => find(plan, { serverName }))).toEqual([
    'exact',
    'long',
    'long',
    'short',
    'any',
    'any',
    'any',
  ])
})

test('transport, then protocols in the order in which the client names them', () => {
  const plan = listener({
    h2: { transportProtocol: 'tls', applicationProtocols: ['h2'] },
    h1: { transportProtocol: 'tls', applicationProtocols: ['http/1.1', 'http/1.0'] },
    tls: { transportProtocol: 'tls' },
    plain: { transportProtocol: 'raw_buffer' },
  })
  const tls = (...applicationProtocols: string[]) => find(plan, { transportProtocol: 'tls', applicationProtocols })
  expect([tls('http/1.1', 'h2'), tls('h2', 'http/1.1'), tls('x', 'h2'), tls('x'), tls()]).toEqual([
    'h1',
    'h2',
    'h2',
    'tls',
    'tls',
  ])
  expect(find(plan, {})).toBe('plain')
})

test('sources: the peer, then its kind, then the client and its port', () => {
  const plan = listener({
    balancer: { directSourcePrefixRanges: [cidr('10.0.0.0/24')], sourcePrefixRanges: [cidr('192.0.2.0/24')] },
    local: { sourceType: 'SAME_IP_OR_LOOPBACK' },
    port: { sourceType: 'EXTERNAL', sourcePorts: [1000, 1001] },
    external: { sourceType: 'EXTERNAL' },
  })
  const from = (directSourceAddress: string, sourceAddress: string, sourcePort = 1) =>
    find(plan, { directSourceAddress, sourceAddress, sourcePort, destinationAddress: '10.5.5.5' })
  expect([
    from('10.0.0.7', '192.0.2.9'),
    from('10.0.0.7', '192.0.3.9'),
    from('10.5.5.5', '10.5.5.5'),
    from('127.0.0.1', '127.0.0.1'),
    from('10.2.2.2', '10.2.2.2', 1001),
    from('10.2.2.2', '10.2.2.2', 1002),
  ]).toEqual(['balancer', undefined, 'local', 'local', 'port', 'external'])
})

test('no chain and no default is a miss', () => {
  expect(find(listener({ port: { destinationPort: 80 } }), { destinationPort: 81 })).toBeUndefined()
})

test('the trace says what refused each chain', () => {
  const plan = listener({ port: { destinationPort: 81 }, name: { serverNames: ['a'] }, any: {} }, true)
  const trace: Trace = []
  findFilterChain(plan, connectionFacts({ destinationPort: 80, serverName: 'b' }), trace)
  expect(trace.map(({ candidate, matched, reason }) => [candidate, matched, reason])).toEqual([
    ['filter chain port of listener l', false, 'does not match: destination port'],
    ['filter chain name of listener l', false, 'does not match: server name'],
    ['filter chain any of listener l', true, 'every criterion matches'],
  ])
})

const ADDRESSES = ['10.0.0.1', '10.0.1.1', '127.0.0.1', '::1'] as const
const RANGES = ['10.0.0.0/8', '10.0.0.0/24', '10.0.0.1/32', '0.0.0.0/0', '::/0'] as const
const NAMES = ['a.b.c', '*.b.c', '*.c', 'd'] as const
const PROTOCOLS = ['h2', 'http/1.1', 'istio'] as const

const some = <T>(values: readonly T[]) => fc.uniqueArray(fc.constantFrom(...values), { maxLength: 2 })
const maybe = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined, freq: 1 })
const randomMatch = fc.record({
  destinationPort: maybe([80, 443]),
  prefixRanges: some(RANGES),
  serverNames: some(NAMES),
  transportProtocol: maybe(['tls', 'raw_buffer']),
  applicationProtocols: some(PROTOCOLS),
  directSourcePrefixRanges: some(RANGES),
  sourceType: maybe(['SAME_IP_OR_LOOPBACK', 'EXTERNAL']),
  sourcePrefixRanges: some(RANGES),
  sourcePorts: some([1, 2]),
})
const randomFacts = fc.record({
  destinationAddress: fc.constantFrom(...ADDRESSES),
  destinationPort: fc.constantFrom(80, 443, 8080),
  directSourceAddress: fc.constantFrom(...ADDRESSES),
  sourceAddress: fc.constantFrom(...ADDRESSES),
  sourcePort: fc.constantFrom(1, 2, 3),
  transportProtocol: fc.constantFrom('tls', 'raw_buffer'),
  serverName: fc.constantFrom('', 'a.b.c', 'x.b.c', 'x.y.b.c', 'x.c', 'd', 'e'),
  applicationProtocols: some(PROTOCOLS),
})

/** Chains with these matches; those that a listener may not have together are left out. */
function withoutTwins(matches: readonly object[]): ListenerPlan {
  const kept: object[] = []
  for (const match of matches) {
    try {
      listenerPlan({ filterChains: [...kept, match].map((one, i) => chain(`${i}`, one)) })
      kept.push(match)
    } catch {
      // A twin.
    }
  }
  return listenerPlan({ filterChains: kept.map((one, i) => chain(`${i}`, one)), defaultFilterChain: chain('default') })
}

test('the index finds what looking at every chain finds', () => {
  fc.assert(
    fc.property(
      fc.array(randomMatch, { minLength: 1, maxLength: 8 }),
      fc.array(randomFacts, { minLength: 20, maxLength: 20 }),
      (matches, all) => {
        const plan = withoutTwins(
          matches.map((match) => ({
            ...match,
            prefixRanges: match.prefixRanges.map(cidr),
            directSourcePrefixRanges: match.directSourcePrefixRanges.map(cidr),
            sourcePrefixRanges: match.sourcePrefixRanges.map(cidr),
          })),
        )
        for (const known of all) {
          const facts = connectionFacts(known)
          const left: readonly FilterChainPlan[] = narrow(plan.filterChains, facts, () => {})
          expect(left.length).toBeLessThanOrEqual(1)
          expect(findFilterChain(plan, facts)?.name).toBe(left[0]?.name ?? 'default')
        }
      },
    ),
    { numRuns: 200 },
  )
})

test('a thousand chains are as quick to search as ten', () => {
  const many = (count: number) =>
    listener(
      Object.fromEntries(
        Array.from({ length: count }, (_, i) => [
          `c${i}`,
          {
            destinationPort: 80 + (i % 10),
            prefixRanges: [cidr(`10.${i >> 8}.${i & 255}.0/24`)],
            serverNames: [`s${i}.a`],
          },
        ]),
      ),
    )
  const plan = many(1000)
  let looked = 0
  const counting = new Proxy(plan, {
    get(target, name) {
      if (name === 'filterChains') looked++
      return target[name as keyof ListenerPlan]
    },
  })
  const facts = { destinationPort: 89, destinationAddress: '10.3.211.7', serverName: 's979.a' }
  expect(find(counting, facts)).toBe('c979')
  expect(looked).toBe(0)
})
