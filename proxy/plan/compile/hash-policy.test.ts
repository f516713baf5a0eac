import { create, fromJson, type JsonObject } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import {
  RouteAction_HashPolicySchema,
  RouteActionSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { HashPolicySchema as TcpHashPolicySchema } from '../../../api/gen/envoy/type/v3/hash_policy_pb.js'
import { compileHashPolicies, compileTcpHashPolicy } from './hash-policy.ts'
import { notHonoured } from './honoured.ts'

const parsed = (json: JsonObject) => fromJson(RouteAction_HashPolicySchema, json)
const of = (json: JsonObject) => compileHashPolicies([parsed(json)], 'p')

test.each<[JsonObject, object[]]>([
  [{ header: { headerName: 'X-User' } }, [{ kind: 'header', name: 'x-user', rewrite: undefined, terminal: false }]],
  [
    { header: { headerName: ':path' }, terminal: true },
    [{ kind: 'header', name: ':path', rewrite: undefined, terminal: true }],
  ],
  [{ cookie: { name: 'a' } }, [{ kind: 'cookie', name: 'a', session: undefined, terminal: false }]],
  [
    { cookie: { name: 'a', ttl: '0s' } },
    [{ kind: 'cookie', name: 'a', session: { attributes: '; HttpOnly' }, terminal: false }],
  ],
  [
    {
      cookie: {
        name: 'a',
        ttl: '61.5s',
        path: '/x',
        attributes: [{ name: 'Secure' }, { name: 'SameSite', value: 'Lax' }],
      },
    },
    [
      {
        kind: 'cookie',
        name: 'a',
        session: { attributes: '; Max-Age=61; Path=/x; Secure; SameSite=Lax; HttpOnly' },
        terminal: false,
      },
    ],
  ],
  [{ connectionProperties: { sourceIp: true } }, [{ kind: 'source_ip', terminal: false }]],
  [{ connectionProperties: {} }, []],
  [{ queryParameter: { name: 'q' } }, [{ kind: 'query_parameter', name: 'q', terminal: false }]],
])('%j', (json, expected) => {
  expect(of(json)).toEqual(expected)
  expect(notHonoured(RouteActionSchema, create(RouteActionSchema, { hashPolicy: [parsed(json)] }))).toEqual([])
})

test.each<[JsonObject, string]>([
  [{ filterState: { key: 'k' } }, 'p[0]: filterState is not supported'],
  [{}, 'p[0]: a policy without a kind is not supported'],
  [{ header: { headerName: 'a b' } }, 'p[0].header.header_name: "a b" is not the name of a field'],
  [
    { header: { headerName: 'a', regexRewrite: { pattern: { regex: 'a' }, substitution: '\\1' } } },
    'p[0].header.regex_rewrite.substitution: the pattern has no group 1',
  ],
  [{ cookie: { name: 'a', ttl: '0s', path: '/;x' } }, 'p[0].cookie.path: must not hold a semicolon'],
  [
    { cookie: { name: 'a', ttl: '0s', attributes: [{ name: 'b', value: 'c\nd' }] } },
    'p[0].cookie.attributes[0].value: "c\\nd" holds a control character',
  ],
  [{ queryParameter: {} }, 'p[0].query_parameter.name: is needed'],
])('%j is refused', (json, message) => {
  expect(() => of(json)).toThrow(message)
})

test('connections that are proxied as bytes', () => {
  const tcp = (json: JsonObject) => compileTcpHashPolicy([fromJson(TcpHashPolicySchema, json)], 'p')
  expect(compileTcpHashPolicy([], 'p')).toBe(false)
  expect(tcp({ sourceIp: {} })).toBe(true)
  expect(() => tcp({ filterState: { key: 'k' } })).toThrow('p[0]: filterState is not supported')
})
