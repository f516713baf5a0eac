import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { parseRequestHead } from '../http1/request-parser.ts'
import type { HttpManagerPlan } from '../plan/plan.ts'
import { listenerPlan, typed } from '../plan/testing.ts'
import type { HeaderBlock } from '../stream/header-block.ts'
import { RequestHead } from '../stream/message.ts'
import { connectionFacts } from './connection-facts.ts'
import { newDecision } from './decision.ts'
import { forwardedAddress, readForwarding } from './forwarding.ts'
import { mutateHeaders } from './mutate.ts'
import { SYMBOLIC_SURROUNDINGS } from './surroundings.ts'

const INSIDE = {
  internalAddressConfig: {
    cidrRanges: [
      { addressPrefix: '10.0.0.0', prefixLen: 8 },
      { addressPrefix: '2001:db8::', prefixLen: 32 },
    ],
  },
}

function managerOf(fields: object): HttpManagerPlan {
  const typedConfig = typed('filters.network.http_connection_manager.v3.HttpConnectionManager', {
    statPrefix: 'h',
    routeConfig: { name: 'r' },
    httpFilters: [{ name: 'router', typedConfig: typed('filters.http.router.v3.Router') }],
    ...fields,
  })
  const plan = listenerPlan({ filterChains: [{ filters: [{ name: 'http', typedConfig }] }] })
  return plan.filterChains[0]?.filter as HttpManagerPlan
}

/** What is known of a client, and the fields that are passed on. */
function read(manager: object, lines: readonly string[], peer = '192.0.2.5') {
  const head = new RequestHead()
  const bytes = Buffer.from(['GET / HTTP/1.1', 'Host: h', ...lines, '', ''].join('\r\n'), 'latin1')
  expect(parseRequestHead(bytes, 0, bytes.length - 4, head)).toBeUndefined()
  const call = {
    head,
    facts: connectionFacts({
      sourceAddress: peer,
      sourcePort: 1000,
      destinationAddress: '192.0.2.1',
      destinationPort: 80,
    }),
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => 0,
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: (head: HeaderBlock) => head.append('x-request-id', 'generated'),
  }
  const decision = newDecision()
  readForwarding(managerOf(manager), call, decision)
  const field = (name: string) => head.get(name)
  return { client: decision.clientAddress, scheme: head.scheme, field, head, call, decision }
}

const THREE = '203.0.113.128, 203.0.113.10, 203.0.113.1'

// The examples of Envoy's documentation of x-forwarded-for, and what Envoy 1.40 was seen to do; '' is the peer.
test.each([
  [true, 0, THREE, ''],
  [true, 1, THREE, '203.0.113.1'],
  [true, 2, THREE, '203.0.113.10'],
  [true, 3, THREE, '203.0.113.128'],
  [true, 4, THREE, ''],
  [false, 0, THREE, '203.0.113.1'],
  [false, 1, THREE, '203.0.113.10'],
  [false, 2, `${THREE}, 192.0.2.5`, '203.0.113.10'],
  [false, 3, THREE, ''],
  [true, 1, '1.2.3.4,', ''],
  [true, 2, '1.2.3.4,', '1.2.3.4'],
  [true, 1, ',1.2.3.4', '1.2.3.4'],
  [true, 1, ' \t1.2.3.4\t ', '1.2.3.4'],
  [false, 0, ',', ''],
  [false, 1, ',', ''],
  [false, 0, 'junk', ''],
  [false, 0, '1.2.3.4:80', ''],
  [false, 0, '[2001:db8::1]', ''],
  [false, 0, '1.2.3', ''],
  [false, 0, '01.2.3.4', ''],
  [false, 0, '2001:DB8:0::1', '2001:db8::1'],
  [false, 0, '::ffff:1.2.3.4', '::ffff:1.2.3.4'],
  [false, 0, 'fe80::1%eth0', ''],
])('use_remote_address %s, %d trusted hops, %j: the client is %j', (useRemoteAddress, hops, list, client) => {
  const { client: found } = read({ useRemoteAddress, xffNumTrustedHops: hops }, [`x-forwarded-for: ${list}`])
  expect(found).toBe(client)
})

test('several fields are one list', () => {
  const lines = ['x-forwarded-for: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2']
  expect(read({ xffNumTrustedHops: 1 }, lines).client).toBe('1.1.1.1')
  expect(read({ xffNumTrustedHops: 0 }, lines).client).toBe('2.2.2.2')
})

test('whatever the list is, there is an answer, and it is in the list', () => {
  const entry = fc.constantFrom('', ' ', '1.2.3.4', '2001:db8::1', 'x', '%', '::', '1.2.3.4:1')
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 8 }), fc.nat(10), (entries, skip) => {
      const found = forwardedAddress(entries.join(','), skip)
      const wanted = skip < Math.max(1, entries.length) ? (entries[entries.length - 1 - skip] ?? '') : ''
      expect(found).toBe(/^[0-9.]{7}$|^2001:db8::1$|^::$/.test(wanted) ? wanted : '')
    }),
  )
})

test('the peer is added behind what came, unless it is not to be', () => {
  const lines = ['x-forwarded-for: 1.1.1.1']
  expect(read({ useRemoteAddress: true }, lines).field('x-forwarded-for')).toBe('1.1.1.1,192.0.2.5')
  expect(read({ useRemoteAddress: true, xffNumTrustedHops: 1 }, lines).field('x-forwarded-for')).toBe(
    '1.1.1.1,192.0.2.5',
  )
  expect(read({ useRemoteAddress: true, skipXffAppend: true }, lines).field('x-forwarded-for')).toBe('1.1.1.1')
  expect(read({ useRemoteAddress: true }, [], '2001:db8::5').field('x-forwarded-for')).toBe('2001:db8::5')
  expect(read({ xffNumTrustedHops: 1 }, lines).field('x-forwarded-for')).toBe('1.1.1.1')
  expect(read({}, []).field('x-forwarded-for')).toBeUndefined()
})

test('an edge says whom it takes for the client, and nobody else does', () => {
  const claims = ['x-forwarded-for: 1.1.1.1, 2.2.2.2', 'x-envoy-external-address: 9.9.9.9']
  const external = (fields: object) => read(fields, claims).field('x-envoy-external-address')
  expect(external({ useRemoteAddress: true })).toBe('192.0.2.5')
  expect(external({ useRemoteAddress: true, xffNumTrustedHops: 1 })).toBe('2.2.2.2')
  expect(external({ useRemoteAddress: true, xffNumTrustedHops: 2 })).toBe('1.1.1.1')
  expect(external({ useRemoteAddress: true, xffNumTrustedHops: 3 })).toBe('192.0.2.5')
  // Not an edge: the edge has said so.
  expect(external({ xffNumTrustedHops: 1 })).toBe('9.9.9.9')
})

test.each([
  [true, 0, 'https', 'http', 'http'],
  [true, 0, undefined, 'http', 'http'],
  [true, 1, 'https', 'https', 'https'],
  [true, 1, undefined, 'http', 'http'],
  [true, 1, 'HTTPS', 'HTTPS', 'https'],
  [true, 1, 'ftp', 'ftp', 'http'],
  [true, 1, 'https,http', 'https,http', 'http'],
  [false, 0, 'https', 'https', 'https'],
  [false, 0, undefined, 'http', 'http'],
])(
  'use_remote_address %s, %d trusted hops, x-forwarded-proto %s: %s, and the scheme %s',
  (useRemoteAddress, hops, said, passed, scheme) => {
    const lines = said === undefined ? [] : [`x-forwarded-proto: ${said}`]
    const got = read({ useRemoteAddress, xffNumTrustedHops: hops }, lines)
    expect([got.field('x-forwarded-proto'), got.scheme]).toEqual([passed, scheme])
  },
)

test('two that contradict each other say nothing of the scheme', () => {
  const lines = ['x-forwarded-proto: https', 'x-forwarded-proto: http']
  expect(read({}, lines).scheme).toBe('http')
})

const INTERNAL = ['x-envoy-force-trace', 'x-envoy-ip-tags', 'x-envoy-original-url']
const EDGE = [
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-original-path',
  'x-envoy-original-host',
]
const STEERING = ['x-envoy-max-retries', 'x-envoy-retry-on', 'x-envoy-upstream-rq-timeout-ms']

test.each([
  // use_remote_address, hops, X-Forwarded-For, peer -> internal, edge
  [true, 0, undefined, '10.1.1.1', true, false],
  [true, 1, undefined, '10.1.1.1', true, false],
  [true, 0, '10.1.1.1', '10.1.1.1', false, true],
  [true, 1, '10.1.1.1', '10.1.1.1', false, true],
  [true, 0, undefined, '192.0.2.5', false, true],
  [true, 0, undefined, '2001:db8::9', true, false],
  [false, 0, '10.1.1.1', '192.0.2.5', true, false],
  [false, 0, undefined, '10.1.1.1', false, false],
  [false, 0, '1.1.1.1, 10.1.1.1', '10.1.1.1', false, false],
  [false, 1, '10.1.1.1, 10.1.1.2', '10.1.1.1', false, false],
  [false, 0, 'junk', '10.1.1.1', false, false],
])(
  'use_remote_address %s, %d hops, %j by %s: internal %s, edge %s',
  (useRemoteAddress, hops, list, peer, isInternal, isEdge) => {
    const names = [...INTERNAL, ...EDGE, ...STEERING, 'x-envoy-internal', 'x-request-id']
    const lines = [
      ...names.map((name) => `${name}: theirs`),
      ...(list === undefined ? [] : [`x-forwarded-for: ${list}`]),
    ]
    const { field } = read({ useRemoteAddress, xffNumTrustedHops: hops, ...INSIDE }, lines, peer)
    expect(field('x-envoy-internal')).toBe(isInternal ? 'true' : undefined)
    expect(INTERNAL.map(field)).toEqual(INTERNAL.map(() => (isInternal ? 'theirs' : undefined)))
    expect(EDGE.map(field)).toEqual(EDGE.map(() => (isEdge ? undefined : 'theirs')))
    expect(STEERING.map(field)).toEqual(STEERING.map(() => (isInternal ? 'theirs' : undefined)))
    expect(field('x-request-id')).toBe(isEdge ? 'generated' : 'theirs')
  },
)

test('no address is internal that is not said to be', () => {
  expect(read({ useRemoteAddress: true }, [], '10.1.1.1').field('x-envoy-internal')).toBeUndefined()
  expect(read({}, ['x-forwarded-for: 127.0.0.1']).field('x-envoy-internal')).toBeUndefined()
})

test('ranges that are none are refused by name', () => {
  const ranges = (addressPrefix: string) => ({ internalAddressConfig: { cidrRanges: [{ addressPrefix }] } })
  expect(() => managerOf(ranges('x'))).toThrow(/internal_address_config\.cidr_ranges\[0\]\.address_prefix/)
})

test.each([
  ['203.0.113.1', 'client=203.0.113.1 203.0.113.1:0 peer=192.0.2.5 192.0.2.5:1000'],
  ['2001:db8::1', 'client=2001:db8::1 [2001:db8::1]:0 peer=192.0.2.5 192.0.2.5:1000'],
  ['junk', 'client=192.0.2.5 192.0.2.5:1000 peer=192.0.2.5 192.0.2.5:1000'],
])('what headers are made of knows the client %s and the peer', (list, wanted) => {
  const remote = 'client=%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_ADDRESS%'
  const direct = 'peer=%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%'
  const route = { match: { prefix: '/' }, directResponse: { status: 200 } }
  const routes = managerOf({
    routeConfig: {
      name: 'r',
      virtualHosts: [{ name: 'v', domains: ['*'], routes: [route] }],
      requestHeadersToAdd: [{ header: { key: 'x-who', value: `${remote} ${direct}` } }],
    },
  }).routes
  const { head, call, decision, field } = read({ useRemoteAddress: true, xffNumTrustedHops: 1 }, [
    `x-forwarded-for: ${list}`,
  ])
  decision.virtualHost = routes?.virtualHosts[0]
  decision.route = routes?.virtualHosts[0]?.routes[0]
  if (routes !== undefined) mutateHeaders(routes, decision, call, head, 'request')
  expect(field('x-who')).toBe(wanted)
})
