import { describe, expect, test } from '@jest/globals'
import { connectionFacts } from '../../decide/connection-facts.ts'
import type { Trace } from '../../decide/trace.ts'
import { Asked } from './asked.ts'
import { allows, findPolicy } from './engine.ts'
import { askedOf, engineOf, peerFacts, type TestCall, takenBy } from './testing.ts'

const ANY = { any: true }
const policy = (permission: object, principal: object = ANY) => ({ permissions: [permission], principals: [principal] })
const meets = (permission: object, principal: object, call: TestCall) =>
  takenBy(engineOf({ policies: { p: policy(permission, principal) } }), call) !== undefined
const permits = (permission: object, call: TestCall) => meets(permission, ANY, call)
const means = (principal: object, call: TestCall) => meets(ANY, principal, call)

describe('permissions', () => {
  test('path, without query and fragment', () => {
    const exact = { url_path: { path: { exact: '/a' } } }
    for (const path of ['/a', '/a?b', '/a?']) expect(permits(exact, { path })).toBe(true)
    for (const path of ['/a/', '/ab', '/A']) expect(permits(exact, { path })).toBe(false)
    expect(permits(exact, { method: 'CONNECT', path: 'a:80', host: 'a:80' })).toBe(false)
  })

  test('headers, each of their values', () => {
    const header = { header: { name: 'x-a', string_match: { exact: '1' } } }
    expect(permits(header, { headers: [['X-A', '1']] })).toBe(true)
    expect(
      permits(header, {
        headers: [
          ['x-a', '2'],
          ['x-a', '1'],
        ],
      }),
    ).toBe(true)
    expect(permits(header, { headers: [['x-a', '1,2']] })).toBe(false)
    expect(permits({ not_rule: header }, {})).toBe(true)
    expect(
      permits({ header: { name: ':authority', string_match: { suffix: '.b', ignore_case: true } } }, { host: 'A.B' }),
    ).toBe(true)
  })

  test('where the connection goes', () => {
    const facts = { destinationAddress: '10.0.0.5', destinationPort: 80, serverName: 'a.example' }
    expect(permits({ destination_port: 80 }, { facts })).toBe(true)
    expect(permits({ destination_port: 81 }, { facts })).toBe(false)
    expect(permits({ destination_port_range: { start: 80, end: 81 } }, { facts })).toBe(true)
    expect(permits({ destination_port_range: { start: 70, end: 80 } }, { facts })).toBe(false)
    expect(permits({ destination_ip: { address_prefix: '10.0.0.0', prefix_len: 8 } }, { facts })).toBe(true)
    expect(permits({ destination_ip: { address_prefix: '10.0.0.0', prefix_len: 32 } }, { facts })).toBe(false)
    expect(permits({ requested_server_name: { suffix: '.example' } }, { facts })).toBe(true)
  })

  test('path templates', () => {
    const template = (path_template: string) => ({
      uri_template: {
        name: 't',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
          path_template,
        },
      },
    })
    for (const path of ['/v1/x/items', '/v1/a*b/items?q', '/v1/{x}/items']) {
      expect([path, permits(template('/v1/*/items'), { path })]).toEqual([path, true])
    }
    for (const path of ['/v1//items', '/v1/x/y/items', '/v1/items', '/v1/[x]/items']) {
      expect([path, permits(template('/v1/*/items'), { path })]).toEqual([path, false])
    }
    expect(permits(template('/v1/**'), { path: '/v1/' })).toBe(true)
    expect(permits(template('/v1/**'), { path: '/v1' })).toBe(false)
    expect(permits(template('/{a}/{b=x/*}'), { path: '/1/x/2' })).toBe(true)
    for (const wrong of ['v1', '/**/a', '/a*', '/{a}/{a}', '/a/']) expect(() => permits(template(wrong), {})).toThrow()
  })

  test('sets and their negation', () => {
    const [a, b] = [{ url_path: { path: { prefix: '/a' } } }, { url_path: { path: { suffix: 'b' } } }]
    expect(permits({ and_rules: { rules: [a, b] } }, { path: '/a/b' })).toBe(true)
    expect(permits({ and_rules: { rules: [a, b] } }, { path: '/a' })).toBe(false)
    expect(permits({ or_rules: { rules: [a, b] } }, { path: '/xb' })).toBe(true)
    expect(permits({ not_rule: { or_rules: { rules: [a, b] } } }, { path: '/x' })).toBe(true)
  })

  test('what is refused by name', () => {
    const wrong: [object, string][] = [
      [{ matcher: { name: 'x' } }, 'permission matcher is not supported'],
      [{}, 'permission without a rule is not supported'],
      [{ and_rules: {} }, 'at least one rule is needed'],
    ]
    for (const [permission, message] of wrong) expect(() => permits(permission, {})).toThrow(message)
    const cel = { ...policy(ANY), condition: { constExpr: { boolValue: true } } }
    expect(() => engineOf({ policies: { p: cel } })).toThrow('rules.policies[p].condition: CEL is not supported')
  })
})

describe('principals', () => {
  const web = 'spiffe://cluster.local/ns/a/sa/web'
  const named = (principal_name: object) => ({ authenticated: { principal_name } })

  test('the names of a certificate that was verified', () => {
    expect(means(named({ exact: web }), { peer: [web] })).toBe(true)
    expect(means(named({ exact: web }), { peer: ['spiffe://x', web] })).toBe(true)
    expect(means(named({ exact: 'CN=test' }), { peer: [web] })).toBe(true)
    expect(means(named({ exact: web }), {})).toBe(false)
    expect(means({ authenticated: {} }, { peer: [web] })).toBe(true)
    expect(means({ authenticated: {} }, {})).toBe(false)
  })

  test('nobody believes one that was not', () => {
    const facts = { tls: peerFacts([web], false) }
    expect(means(named({ exact: web }), { facts })).toBe(false)
    expect(means({ authenticated: {} }, { facts })).toBe(false)
    expect(means({ not_id: named({ exact: web }) }, { facts })).toBe(true)
  })

  test('addresses of the peer, the connection and the client', () => {
    const range = { address_prefix: '10.0.0.0', prefix_len: 8 }
    const facts = { directSourceAddress: '192.0.2.1', sourceAddress: '10.1.1.1' }
    expect(means({ direct_remote_ip: range }, { facts })).toBe(false)
    expect(means({ source_ip: range }, { facts })).toBe(true)
    expect(means({ remote_ip: range }, { facts })).toBe(true)
    expect(means({ remote_ip: range }, { facts, clientAddress: '192.0.2.2' })).toBe(false)
    expect(means({ remote_ip: { address_prefix: '::', prefix_len: 0 } }, { facts })).toBe(false)
  })

  test('metadata of filters before', () => {
    const of = (value: object, fields: object = {}) => ({
      metadata: { filter: 'f', path: [{ key: 'a' }, { key: 'b' }], value, ...fields },
    })
    const call = (b: string | string[] | number | boolean | null) => ({ metadata: new Map([['f', { a: { b } }]]) })
    expect(means(of({ string_match: { prefix: 'x' } }), call('xy'))).toBe(true)
    expect(means(of({ string_match: { prefix: 'x' } }), call(['xy']))).toBe(false)
    expect(means(of({ list_match: { one_of: { string_match: { exact: 'x' } } } }), call(['y', 'x']))).toBe(true)
    expect(means(of({ null_match: {} }), call(null))).toBe(true)
    expect(means(of({ bool_match: true }), call(true))).toBe(true)
    expect(means(of({ double_match: { range: { start: 1, end: 2 } } }), call(1.5))).toBe(true)
    expect(means(of({ present_match: true }), call('x'))).toBe(true)
    const either = { or_match: { value_matchers: [{ bool_match: true }, { string_match: { exact: 'x' } }] } }
    expect(means(of(either), call('x'))).toBe(true)
    for (const value of [
      { present_match: true },
      { string_match: { safe_regex: { regex: '.*' } } },
      { null_match: {} },
    ]) {
      expect(means(of(value), {})).toBe(false)
      expect(means(of(value, { invert: true }), {})).toBe(true)
    }
  })

  test('state of filters is refused: there is none', () => {
    expect(() => means({ filter_state: { key: 'k', string_match: { exact: 'x' } } }, {})).toThrow('filter_state')
  })
})

test('the first by the bytes of its name decides', () => {
  const names = ['b', 'a[10]', 'a[2]', 'B', '\u{10000}', '\ufb01']
  const engine = engineOf({ policies: Object.fromEntries(names.map((name) => [name, policy(ANY)])) })
  expect(engine.policies.map(({ name }) => name)).toEqual(['B', 'a[10]', 'a[2]', 'b', '\ufb01', '\u{10000}'])
  expect(takenBy(engine, {})).toBe('B')
})

test('what an action makes of a match', () => {
  const engine = (action: string) => engineOf({ action, policies: { p: policy(ANY) } })
  const found = engine('ALLOW').policies[0]
  expect(['ALLOW', 'DENY', 'LOG'].map((action) => allows(engine(action), found))).toEqual([true, false, true])
  expect(['ALLOW', 'DENY', 'LOG'].map((action) => allows(engine(action), undefined))).toEqual([false, true, true])
})

test('a connection of bytes has no headers and no path', () => {
  const facts = connectionFacts({})
  const asked = new Asked(facts)
  asked.begin(undefined, facts, '', undefined)
  const meetsIt = (permission: object) =>
    findPolicy(engineOf({ policies: { p: policy(permission) } }), asked) !== undefined
  expect(meetsIt({ header: { name: 'x', string_match: { exact: '' } } })).toBe(false)
  expect(meetsIt({ header: { name: 'x', present_match: true } })).toBe(false)
  expect(meetsIt({ header: { name: 'x', present_match: false } })).toBe(true)
  expect(meetsIt({ url_path: { path: { prefix: '/' } } })).toBe(false)
})

test('a trace names the first condition that refuses', () => {
  const trace: Trace = []
  const principal = { and_ids: { ids: [{ authenticated: { principal_name: { exact: 'x' } } }, { not_id: ANY }] } }
  const permission = { and_rules: { rules: [{ destination_port: 0 }, { or_rules: { rules: [ANY] } }] } }
  const engine = engineOf({
    action: 'DENY',
    policies: { p: policy(permission, principal), q: policy({ not_rule: ANY }), r: policy(ANY), s: policy(ANY) },
  })
  expect(findPolicy(engine, askedOf({}), trace)?.name).toBe('r')
  expect(trace.map(({ candidate, matched, reason }) => [candidate, matched, reason])).toEqual([
    ['DENY policy p', false, 'does not match: peer exact "x"'],
    ['DENY policy q', false, 'does not match: never'],
    ['DENY policy r', true, 'every predicate matches'],
  ])
})
