import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from '@jest/globals'
import { JwtAuthenticationSchema } from '../../../../api/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import {
  base64url,
  headerOf,
  keySetOf,
  makeKey,
  makeToken,
  publicPem,
  type SigningKey,
  tampered,
} from '../../../../test/support/tokens.ts'
import type { Call } from '../../../decide/call.ts'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { type Decision, newDecision } from '../../../decide/decision.ts'
import { metadataAt } from '../../../decide/metadata.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../decide/surroundings.ts'
import { parseRequestHead } from '../../../http1/request-parser.ts'
import { RequestHead } from '../../../stream/message.ts'
import { compileJwtAuthn, type JwtConfig } from './config.ts'
import { JWT_AUTHN } from './evaluate.ts'
import { jwtAuthn } from './filter.ts'

const NOW_SECONDS = 1_700_000_000
const ISSUER = 'https://issuer.test'
const rsa = makeKey('rsa', 'RS256', { kid: 'rsa' })
const ec = makeKey('ec', 'ES256')
const shared = makeKey('shared', 'HS256')
const stranger = makeKey('rsa', 'RS256')
const KEYS = keySetOf([rsa, ec, shared])
const GOOD = { iss: ISSUER, sub: 'alice', aud: 'shop', exp: NOW_SECONDS + 60, group: 'admin' }

const PROVIDER = {
  issuer: ISSUER,
  audiences: ['shop'],
  local_jwks: { inline_string: KEYS },
  payload_in_metadata: 'payload',
}

function configOf(provider: object = {}, requires: object = { provider_name: 'p' }, fields: object = {}): JwtConfig {
  const json = {
    providers: { p: { ...PROVIDER, ...provider } },
    rules: [{ match: { prefix: '/' }, requires }],
    ...fields,
  } as JsonValue
  return compileJwtAuthn(anyPack(JwtAuthenticationSchema, fromJson(JwtAuthenticationSchema, json)), 'jwt')
}

function callOf(lines: readonly string[], path = '/', method = 'GET'): Call {
  const head = new RequestHead()
  const bytes = Buffer.from(`${[`${method} ${path} HTTP/1.1`, 'host: shop', ...lines].join('\r\n')}\r\n\r\n`, 'latin1')
  expect(parseRequestHead(bytes, 0, bytes.length - 4, head)).toBeUndefined()
  return {
    head,
    facts: connectionFacts({}),
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => NOW_SECONDS * 1000,
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: () => {},
  }
}

interface Judged {
  decision: Decision
  head: RequestHead
  /** How often it had to ask. */
  asked: number
}

async function judge(config: JwtConfig, call: Call): Promise<Judged> {
  const decision = newDecision()
  let asked = 0
  let isAnswered = jwtAuthn.judge(config, call, decision, undefined, config)
  while (decision.question !== undefined) {
    const { question } = decision
    asked++
    decision.question = undefined
    decision.outcome = 'forward'
    const answer = await new Promise((resolve) => {
      question.ask({ call, decision, context: undefined, body: () => [], bodyIsEnded: true, answer: resolve })
    })
    isAnswered = jwtAuthn.judge(config, call, decision, answer, config)
  }
  expect(isAnswered).toBe(decision.outcome !== 'forward')
  return { decision, head: call.head, asked }
}

const bearer = (token: string) => callOf([`authorization: Bearer ${token}`])

async function refusalOf(call: Call, config = configOf()): Promise<string> {
  const { decision } = await judge(config, call)
  return decision.outcome === 'forward' ? 'passes' : `${decision.status} ${decision.body?.toString()}`
}

test('a token that one provider has accepted and taken out is no token for the next', async () => {
  const other = { ...PROVIDER, issuer: 'https://other.test' }
  const requires = {
    requires_any: {
      requirements: [{ provider_name: 'p' }, { requires_all: { requirements: [{ provider_name: 'other' }] } }],
    },
  }
  const config = configOf({}, requires, { providers: { p: PROVIDER, other } })
  const expired = makeToken(ec, { ...GOOD, iss: 'https://other.test', exp: 1 })
  const call = callOf([`authorization: Bearer ${expired}`], `/?access_token=${makeToken(ec, GOOD)}`)
  // Of the two that stand there the first is judged last: only then is the other alone.
  expect(await refusalOf(call, config)).toBe('401 Jwt is expired')
})

test('what one provider has passed on goes when another is asked that passes on in the same field', async () => {
  const claims = (header: string) => ({ claim_to_headers: [{ header_name: header, claim_name: 'sub' }] })
  const other = { ...PROVIDER, issuer: 'https://other.test', forward_payload_header: 'x-payload', ...claims('x-sub') }
  const requires = { requires_any: { requirements: [{ provider_name: 'p' }, { provider_name: 'other' }] } }
  const ofOther = makeToken(ec, { ...GOOD, iss: 'https://other.test', sub: 'bob' })
  for (const [header, fields] of [
    ['x-sub', { 'x-sub': 'bob' }],
    ['x-first', { 'x-sub': 'bob', 'x-first': 'alice' }],
  ] as const) {
    const config = configOf({}, requires, { providers: { p: { ...PROVIDER, ...claims(header) }, other } })
    // p accepts the token in the query, and fails for that in the field, which is for the other.
    const call = callOf([`authorization: Bearer ${ofOther}`], `/?access_token=${makeToken(ec, GOOD)}`)
    expect(await refusalOf(call, config)).toBe('passes')
    for (const [name, value] of Object.entries(fields)) expect(call.head.get(name)).toBe(value)
    expect(call.head.get('x-payload')).toBeDefined()
  }
})

test('a bad token beside an accepted one of the same field is not missing, though both are gone', async () => {
  const requires = { requires_any: { requirements: [{ provider_name: 'p' }, { allow_missing: {} }] } }
  const config = configOf({ from_headers: [{ name: 'x-token' }] }, requires)
  const call = callOf(['x-token: x', `x-token: ${makeToken(ec, GOOD)}`])
  expect(await refusalOf(call, config)).toMatch(/^401 Jwt is not in the form/)
  const lax = { requires_any: { requirements: [{ provider_name: 'p' }, { allow_missing_or_failed: {} }] } }
  const again = callOf(['x-token: x', `x-token: ${makeToken(ec, GOOD)}`])
  expect(await refusalOf(again, configOf({ from_headers: [{ name: 'x-token' }] }, lax))).toBe('passes')
})

test('that a token is of somebody else says more than that there is none', async () => {
  const providers = { p: PROVIDER, other: { ...PROVIDER, issuer: 'https://other.test', from_headers: [{ name: 'x' }] } }
  const requires = { requires_any: { requirements: [{ provider_name: 'p' }, { provider_name: 'other' }] } }
  const call = bearer(makeToken(ec, { ...GOOD, iss: 'https://stranger.test' }))
  expect(await refusalOf(call, configOf({}, requires, { providers }))).toBe('401 Jwt issuer is not configured')
})

const HS_BY_PUBLIC_KEY: SigningKey = { kid: 'rsa', alg: 'HS256', secret: publicPem(rsa), jwk: {} }

test.each([
  ['RSA', rsa],
  ['ECDSA', ec],
  ['a shared secret', shared],
  ...(['RS384', 'RS512', 'PS256', 'ES384', 'ES512', 'EdDSA', 'HS384', 'HS512'] as const).map(
    (alg) => [alg, makeKey(alg, alg)] as const,
  ),
])('a token signed with %s passes, and leaves its payload', async (_name, key) => {
  const config = configOf({ local_jwks: { inline_string: keySetOf([key]) } })
  const { decision, head, asked } = await judge(config, bearer(makeToken(key, GOOD)))
  expect([decision.outcome, asked]).toEqual(['forward', 1])
  expect(metadataAt(decision, JWT_AUTHN, ['payload', 'group'])).toBe('admin')
  expect(head.has('authorization')).toBe(false)
  expect(decision.counted).toEqual(['jwt_authn.allowed'])
})

test.each<[string, string, Call]>([
  ['no token', '401 Jwt is missing', callOf([])],
  ['expired', '401 Jwt is expired', bearer(makeToken(rsa, { ...GOOD, exp: NOW_SECONDS - 61 }))],
  ['not yet valid', '401 Jwt not yet valid', bearer(makeToken(rsa, { ...GOOD, nbf: NOW_SECONDS + 61 }))],
  ['another issuer', '401 Jwt issuer is not configured', bearer(makeToken(rsa, { ...GOOD, iss: 'https://other' }))],
  ['wrong audience', '403 Audiences in Jwt are not allowed', bearer(makeToken(rsa, { ...GOOD, aud: ['pay'] }))],
  ['no audience', '403 Audiences in Jwt are not allowed', bearer(makeToken(rsa, { ...GOOD, aud: undefined }))],
  [
    'a changed payload',
    '401 Jwt verification fails',
    bearer(withPayload(makeToken(rsa, GOOD), { ...GOOD, sub: 'eve' })),
  ],
  ['a changed signature', '401 Jwt verification fails', bearer(tampered(makeToken(rsa, GOOD), 2))],
  [
    'alg none without a signature',
    `401 ${BAD_FORM()}`,
    bearer(`${makeToken(rsa, GOOD, { alg: 'none' }).replace(/[^.]*$/, '')}`),
  ],
  ['alg none', '401 Jwt header [alg] is not supported', bearer(makeToken(rsa, GOOD, { alg: 'none' }))],
  ['alg nOnE', '401 Jwt header [alg] is not supported', bearer(makeToken(rsa, GOOD, { alg: 'nOnE' }))],
  ['HS256 by the public RSA key', '401 Jwt verification fails', bearer(makeToken(HS_BY_PUBLIC_KEY, GOOD))],
  ['RS256 by the shared secret', `401 ${NO_KEY()}`, bearer(makeToken(shared, GOOD, { alg: 'RS256', kid: 'shared' }))],
  ['a key that is not known', `401 ${NO_KEY()}`, bearer(makeToken(rsa, GOOD, { alg: 'RS256', kid: 'other' }))],
  ['the wrong key under a known name', '401 Jwt verification fails', bearer(makeToken(stranger, GOOD))],
  ['a key of another algorithm', `401 ${NO_KEY()}`, bearer(makeToken(rsa, GOOD, { alg: 'RS256', kid: 'ec' }))],
  ['in another field', '401 Jwt is missing', callOf([`x-token: ${makeToken(rsa, GOOD)}`])],
  ['without Bearer', '401 Jwt is missing', callOf([`authorization: ${makeToken(rsa, GOOD)}`])],
  ['in a parameter of another name', '401 Jwt is missing', callOf([], `/?token=${makeToken(rsa, GOOD)}`)],
  ['in a cookie', '401 Jwt is missing', callOf([`cookie: access_token=${makeToken(rsa, GOOD)}`])],
  ['two of them', `401 ${BAD_FORM()}`, callOf([1, 2].map(() => `authorization: Bearer ${makeToken(rsa, GOOD)}`))],
  [
    'very long',
    '401 Jwt verification fails',
    bearer(tampered(makeToken(rsa, { ...GOOD, pad: 'x'.repeat(40_000) }), 2)),
  ],
  ['padded', '401 Jwt signature is an invalid Base64url encoded', bearer(`${makeToken(ec, GOOD)}==`)],
  ['with a blank within', '401 Jwt verification fails', bearer(makeToken(rsa, GOOD).replace(/(.)$/, ' $1'))],
  ['four sections', `401 ${BAD_FORM()}`, bearer(`${makeToken(rsa, GOOD)}.x`)],
  ['dots without sections', `401 ${BAD_FORM()}`, bearer('...')],
  ['a list for a payload', '401 Jwt payload is an invalid JSON', bearer(makeToken(rsa, '[]'))],
  ['no JSON for a header', '401 Jwt header is an invalid JSON', bearer(makeToken(rsa, GOOD, '{'))],
  ['exp as text', '401 Jwt payload [exp] field is not an integer', bearer(makeToken(rsa, { ...GOOD, exp: '9' }))],
  [
    'exp of the prototype',
    '401 Jwt is expired',
    bearer(makeToken(rsa, `{"__proto__":{"exp":9},"iss":"${ISSUER}","aud":"shop","exp":1}`)),
  ],
  ['an empty one', '401 Jwt is missing', callOf(['authorization: Bearer '])],
  [
    'a critical header that nobody knows',
    '401 Jwt verification fails',
    bearer(makeToken(rsa, GOOD, { ...headerOf(rsa), crit: ['x'], x: 1 })),
  ],
])('refused: %s', async (_name, refusal, call) => {
  expect(await refusalOf(call)).toBe(refusal)
})

function BAD_FORM(): string {
  return 'Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections'
}

function NO_KEY(): string {
  return "Jwks doesn't have key to match kid or alg from Jwt"
}

function withPayload(token: string, payload: object): string {
  const [header, , signature] = token.split('.')
  return [header, base64url(JSON.stringify(payload)), signature].join('.')
}

test('a refusal names the place and, where a token was bad, that', async () => {
  const { decision } = await judge(configOf(), bearer('x'))
  const value = 'Bearer realm="http://shop/", error="invalid_token"'
  expect(decision.responseHeaders).toEqual([{ name: 'www-authenticate', value, action: 'set' }])
  expect(decision.detail).toMatch(/^jwt_authn_access_denied\{Jwt_is_not_in/)
  expect(decision.counted).toEqual(['jwt_authn.denied'])
  const missing = await judge(configOf(), callOf([]))
  expect(missing.decision.responseHeaders).toMatchObject([{ value: 'Bearer realm="http://shop/"' }])
})

describe('what was verified once', () => {
  test('is judged without asking, until it expires', async () => {
    const config = configOf()
    const token = makeToken(rsa, GOOD)
    expect((await judge(config, bearer(token))).asked).toBe(1)
    expect((await judge(config, bearer(token))).asked).toBe(0)
    const later = { ...bearer(token), wallMs: () => (NOW_SECONDS + 200) * 1000 }
    const { decision, asked } = await judge(config, later)
    expect([decision.body?.toString(), asked]).toEqual(['Jwt is expired', 0])
  })

  test('is forgotten when others have taken its place', async () => {
    const config = configOf({ jwt_cache_config: { jwt_cache_size: 2 } })
    const tokens = [1, 2, 3].map((n) => makeToken(rsa, { ...GOOD, n }))
    for (const token of tokens) expect((await judge(config, bearer(token))).asked).toBe(1)
    expect((await judge(config, bearer(tokens[2] as string))).asked).toBe(0)
    expect((await judge(config, bearer(tokens[0] as string))).asked).toBe(1)
  })

  test('is nothing that was refused', async () => {
    const config = configOf()
    const bad = bearer(tampered(makeToken(rsa, GOOD), 2))
    expect((await judge(config, bad)).asked).toBe(1)
    expect((await judge(config, bad)).asked).toBe(1)
  })
})

test('claims go into fields, forged ones are taken out, and no claim makes a field of its own', async () => {
  const config = configOf({
    forward: true,
    forward_payload_header: 'X-Payload',
    claim_to_headers: [
      { header_name: 'x-group', claim_name: 'group' },
      { header_name: 'x-evil', claim_name: 'evil' },
    ],
  })
  const token = makeToken(rsa, { ...GOOD, evil: 'a\r\nx-admin: yes' })
  const call = callOf([`authorization: Bearer ${token}`, 'x-payload: forged', 'x-group: forged', 'x-evil: forged'])
  const { head } = await judge(config, call)
  expect([head.get('x-group'), head.get('x-payload'), head.has('x-evil'), head.has('authorization')]).toEqual([
    'admin',
    token.split('.')[1],
    false,
    true,
  ])
})

test('keys that cannot be read fail every token', async () => {
  for (const inline_string of ['{', '{"keys":[]}', '{"keys":[{"kty":"RSA","use":"enc"}]}']) {
    const config = configOf({ local_jwks: { inline_string } })
    expect(await refusalOf(bearer(makeToken(rsa, GOOD)), config)).toBe("401 Jwks doesn't have any valid public key")
  }
})

test('a route may ask for nothing, or for another requirement', async () => {
  const config = configOf({}, { provider_name: 'p' }, { requirement_map: { lax: { allow_missing: {} } } })
  const judgeAt = (route: object) => {
    const decision = newDecision()
    jwtAuthn.judge(route as JwtConfig, callOf([]), decision, undefined, config)
    return decision.outcome === 'forward' ? 'passes' : decision.status
  }
  expect(judgeAt({ disabled: true })).toBe('passes')
  expect(judgeAt({ disabled: false, requirementName: 'lax' })).toBe('passes')
  expect(judgeAt({ disabled: false, requirementName: 'nobody' })).toBe(403)
})

test('a preflight passes where that is configured', async () => {
  const lines = ['origin: https://o', 'access-control-request-method: GET']
  const preflight = callOf(lines, '/', 'OPTIONS')
  expect(await refusalOf(preflight, configOf({}, { provider_name: 'p' }, { bypass_cors_preflight: true }))).toBe(
    'passes',
  )
  expect(await refusalOf(callOf(lines, '/', 'OPTIONS'))).toBe('401 Jwt is missing')
})

test.each([
  ['subjects', { subjects: { prefix: 'a' } }],
  ['require_expiration', { require_expiration: true }],
  ['max_lifetime', { max_lifetime: '1s' }],
  ['failed_status_in_metadata', { failed_status_in_metadata: 'x' }],
])('%s is refused by name', (field, provider) => {
  expect(() => configOf(provider)).toThrow(`jwt.providers[p].${field}`)
})
