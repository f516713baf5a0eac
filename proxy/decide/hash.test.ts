import { fromJson, type JsonObject } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { RouteAction_HashPolicySchema } from '../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { HashValue, xxHash64OfLatin1 } from '../../lib/xxhash64.ts'
import { parseRequestHead } from '../http1/request-parser.ts'
import { compileHashPolicies } from '../plan/compile/hash-policy.ts'
import { RequestHead } from '../stream/message.ts'
import type { Call } from './call.ts'
import { connectionFacts } from './connection-facts.ts'
import { newDecision } from './decision.ts'
import { hashCall } from './hash.ts'
import { SYMBOLIC_SURROUNDINGS } from './surroundings.ts'

/** What policies find in a request; that Envoy finds the same is held by test/differential/consistent-hashing. */
function decided(policies: JsonObject[], lines: string[], { target = '/', client = '' } = {}) {
  const head = new RequestHead()
  const bytes = Buffer.from([`GET ${target} HTTP/1.1`, 'Host: h', ...lines, '', ''].join('\r\n'), 'latin1')
  expect(parseRequestHead(bytes, 0, bytes.length - 4, head)).toBeUndefined()
  const facts = connectionFacts({
    sourceAddress: '192.0.2.5',
    sourcePort: 1000,
    destinationAddress: '192.0.2.1',
    destinationPort: 80,
  })
  const call: Call = {
    head,
    facts,
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => 0,
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: () => {},
  }
  const decision = newDecision()
  decision.clientAddress = client
  const parsed = policies.map((json) => fromJson(RouteAction_HashPolicySchema, json))
  hashCall(compileHashPolicies(parsed, 'p'), call, decision)
  return decision
}

const of = (...args: Parameters<typeof decided>) => decided(...args).hash
const hashOf = (text: string) => {
  const hash = new HashValue()
  xxHash64OfLatin1(text, hash)
  return hash
}
const header = (headerName: string) => ({ header: { headerName } })
const COOKIE = { cookie: { name: 'user' } }
const SESSION = { cookie: { name: 'user', ttl: '0s' } }
const SOURCE = { connectionProperties: { sourceIp: true } }

test.each<[string, JsonObject, string[], string, string | undefined]>([
  ['a header', header('X-A'), ['x-a: 1'], '/', '1'],
  ['a header that is not there', header('x-a'), ['x-b: 1'], '/', undefined],
  ['an empty header', header('x-a'), ['x-a:'], '/', ''],
  ['a cookie', COOKIE, ['cookie: a=b; user=c; user=d'], '/', 'c'],
  ['a quoted cookie', COOKIE, ['cookie: user="c"'], '/', 'c'],
  ['a cookie whose name is longer', COOKIE, ['cookie: users=c; xuser=d'], '/', undefined],
  ['a parameter', { queryParameter: { name: 'q' } }, [], '/?a=1&q=2&q=3', '2'],
  ['the client', SOURCE, [], '/', '192.0.2.5'],
])('%s', (_, policy, lines, target, text) => {
  expect(of([policy], lines, { target })).toEqual(text === undefined ? undefined : hashOf(text))
})

test('the client is who proxies in front vouch for', () => {
  expect(of([SOURCE], [], { client: '203.0.113.7' })).toEqual(hashOf('203.0.113.7'))
})

test('two policies that find the same do not cancel each other out', () => {
  const once = BigInt.asUintN(64, (BigInt(hashOf('1').high) << 32n) | BigInt(hashOf('1').low))
  const turned = BigInt.asUintN(64, (once << 1n) | (once >> 63n)) ^ once
  const found = of([header('x-a'), header('x-a')], ['x-a: 1'])
  expect((BigInt(found?.high ?? 0) << 32n) | BigInt(found?.low ?? 0)).toBe(turned)
})

test('a terminal policy ends the search once there is a hash', () => {
  const policies = [{ ...header('x-a'), terminal: true }, header('x-b')]
  expect(of(policies, ['x-a: 1', 'x-b: 2'])).toEqual(hashOf('1'))
  expect(of(policies, ['x-b: 2'])).toEqual(hashOf('2'))
})

test('a session is begun where there is none, the same for all requests of a client on a connection', () => {
  const first = decided([SESSION], [])
  const [cookie] = first.setCookies ?? []
  expect(cookie).toMatch(/^user="[0-9a-f]{16}"; HttpOnly$/)
  expect(decided([SESSION], []).setCookies).toEqual([cookie])
  // Others that come over the same connection of a proxy have sessions of their own.
  expect(decided([SESSION], [], { client: '203.0.113.7' }).setCookies).not.toEqual([cookie])
  const again = decided([SESSION], [`cookie: ${cookie?.split(';')[0]}`])
  expect(again.setCookies).toBeUndefined()
  expect(again.hash).toEqual(first.hash)
})
