import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { CorsPolicySchema } from '../../../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { newDecision } from '../../../decide/decision.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../decide/surroundings.ts'
import type { RoutePlan } from '../../../plan/plan.ts'
import { headOf } from '../../rbac/testing.ts'
import { cors } from './filter.ts'

const POLICY = {
  allow_origin_string_match: [{ exact: 'http://a' }],
  allow_methods: 'GET',
  allow_headers: 'x-h',
  expose_headers: 'x-e',
  max_age: '60',
  allow_credentials: true,
}

function judge(method: string, fields: Readonly<Record<string, string>>, policy: object = {}) {
  const json = { ...POLICY, ...policy } as JsonValue
  const config = cors.compileForRoute(anyPack(CorsPolicySchema, fromJson(CorsPolicySchema, json)), 'at')
  const decision = { ...newDecision(), route: { action: { kind: 'forward' } } as RoutePlan }
  const isAnswered = cors.judge(
    config,
    {
      head: headOf({ method, headers: Object.entries(fields) }),
      facts: connectionFacts({}),
      random: { next: () => 0.5 },
      randomValue: 0,
      wallMs: () => 0,
      around: SYMBOLIC_SURROUNDINGS,
      addRequestId: () => {},
    },
    decision,
  )
  const headers = Object.fromEntries((decision.responseHeaders ?? []).map(({ name, value }) => [name, value]))
  return { isAnswered, headers, counted: decision.counted }
}

const preflight = (origin: string, more = {}) => ({ origin, 'access-control-request-method': 'GET', ...more })

test('a request of an origin that is allowed', () => {
  expect(judge('GET', { origin: 'http://a' })).toEqual({
    isAnswered: false,
    headers: {
      'access-control-allow-origin': 'http://a',
      'access-control-allow-credentials': 'true',
      'access-control-expose-headers': 'x-e',
    },
    counted: ['cors.origin_valid'],
  })
  expect(judge('GET', { origin: 'http://b' })).toEqual({
    isAnswered: false,
    headers: {},
    counted: ['cors.origin_invalid'],
  })
  expect(judge('GET', {}).counted).toEqual([])
})

test('a preflight is answered, that of another origin goes on or is answered without a word of it', () => {
  const { isAnswered, headers } = judge('OPTIONS', preflight('http://a'))
  expect(isAnswered).toBe(true)
  expect(headers).toMatchObject({
    'access-control-allow-origin': 'http://a',
    'access-control-allow-methods': 'GET',
    'access-control-allow-headers': 'x-h',
    'access-control-max-age': '60',
  })
  expect(judge('OPTIONS', preflight('http://b')).isAnswered).toBe(false)
  const strict = judge('OPTIONS', preflight('http://b'), { forward_not_matching_preflights: false })
  expect(strict.isAnswered).toBe(true)
  expect(strict.headers['access-control-allow-origin']).toBeUndefined()
})

test('access to a private network is said where it is asked for and allowed', () => {
  const asked = preflight('http://a', { 'access-control-request-private-network': 'true' })
  const name = 'access-control-allow-private-network'
  expect(judge('OPTIONS', asked, { allow_private_network_access: true }).headers[name]).toBe('true')
  expect(judge('OPTIONS', asked).headers[name]).toBeUndefined()
  expect(judge('OPTIONS', preflight('http://a'), { allow_private_network_access: true }).headers[name]).toBeUndefined()
})

test('not enabled it does nothing; in the shadow it counts', () => {
  const off = { filter_enabled: { default_value: { numerator: 0 } } }
  const shadow = { shadow_enabled: { default_value: { numerator: 100 } } }
  expect(judge('OPTIONS', preflight('http://a'), off)).toEqual({ isAnswered: false, headers: {}, counted: [] })
  expect(judge('OPTIONS', preflight('http://a'), { ...off, ...shadow })).toEqual({
    isAnswered: false,
    headers: {},
    counted: ['cors.origin_valid'],
  })
  expect(judge('OPTIONS', preflight('http://a'), shadow).isAnswered).toBe(true)
})
