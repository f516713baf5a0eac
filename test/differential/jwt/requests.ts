import { type Random, randomInt } from '../../../lib/random.ts'
import { base64url, headerOf, makeToken, publicPem, type SigningKey, tampered } from '../../support/tokens.ts'
import { AUDIENCES, type Configuration, ISSUERS, type Issuer, STRANGER } from './configurations.ts'

/** A request with no token, a good one, or one of the many others. */
export interface JwtRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** What was done to the token, for people. */
  readonly made: string
}

const one = <T>(random: Random, list: readonly T[]) => list[randomInt(random, list.length)] as T

export function randomJwtRequest(configuration: Configuration, random: Random): JwtRequest {
  const headers: [string, string][] = []
  let path = one(random, ['/', '/get', '/a/b?x=1&y=2', '/get?x='])
  const made: string[] = []
  const tokens = one(random, [0, 1, 1, 1, 1, 1, 2, 2])
  for (let i = 0; i < tokens; i++) {
    const token = randomToken(configuration, tokens === 1 ? 0.4 : 0.7, random)
    made.push(token.made)
    // Of a query from which one is taken Envoy decodes the rest: see differences-from-envoy.md.
    const text = tokens === 1 ? token.text : token.text.replaceAll(/[ %]/g, '')
    path = place(text, headers, path, made, random)
  }
  if (random.next() < 0.3) headers.push(['x-payload', 'forged'])
  if (random.next() < 0.3) headers.push(['x-sub', 'forged'], ['x-claim', 'forged'])
  if (random.next() < 0.1) headers.push(['cookie', 'other=1'])
  const isPreflight = random.next() < 0.05
  if (isPreflight) headers.push(['origin', 'https://o.test'], ['access-control-request-method', 'GET'])
  return { method: isPreflight ? 'OPTIONS' : one(random, ['GET', 'GET', 'POST']), path, headers, made: made.join(', ') }
}

function place(token: string, headers: [string, string][], path: string, made: string[], random: Random): string {
  const withParam = (name: string) => `${path}${path.includes('?') ? '&' : '?'}${name}=${encodeURIComponent(token)}`
  const where = one(random, [
    'bearer',
    'bearer',
    'bearer',
    'bare',
    'small',
    'x-token',
    'x-jwt',
    'param',
    'token',
    'cookie',
    'quoted',
    'blanks',
    'behind',
    'before',
    'twice in the query',
  ])
  made.push(where)
  switch (where) {
    case 'bearer':
      headers.push(['authorization', `Bearer ${token}`])
      return path
    case 'blanks':
      headers.push(['authorization', `Bearer   ${token}`])
      return path
    case 'behind':
      headers.push(['authorization', `x Bearer ${token}`])
      return path
    case 'before':
      headers.push(['authorization', `Bearer ${token}, more`])
      return path
    case 'twice in the query':
      return `${withParam('access_token')}&access_token=2`
    case 'bare':
      headers.push(['authorization', token])
      return path
    case 'small':
      headers.push(['Authorization', `bearer ${token}`])
      return path
    case 'x-token':
      headers.push(['x-token', token])
      return path
    case 'x-jwt':
      headers.push(['x-jwt', `jwt ${token}`])
      return path
    case 'param':
      return withParam('access_token')
    case 'token':
      return withParam(one(random, ['token', 'a_b']))
    case 'cookie':
      headers.push(['cookie', `a=b; ${one(random, ['session', 'tok'])}=${token}; c=d`])
      return path
    default:
      headers.push(['cookie', `session="${token}"`])
      return path
  }
}

function randomPayload(issuer: string, random: Random): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  const maybe = (chance: number, fields: object) => (random.next() < chance ? fields : {})
  return {
    iss: issuer,
    ...maybe(0.9, { sub: one(random, ['alice', 'bob b', 'ü', '']) }),
    ...maybe(0.9, { exp: now + 3600 }),
    ...maybe(0.3, { nbf: now - 10, iat: now - 10 }),
    ...maybe(0.6, { aud: one<unknown>(random, [...AUDIENCES, ['x', 'shop'], ['https://pay.test'], []]) }),
    ...maybe(0.6, { group: one<unknown>(random, ['admin', 'users', ['users', 'admin'], 'a.b']) }),
    ...maybe(0.4, { nested: { key: one<unknown>(random, ['deep', 7, { more: 1 }]) }, list: ['p', 'q'], flag: true }),
    ...maybe(0.4, { number: one(random, [0, 12, -3, 1.5, 1e21, 12345678901]), scope: 'read write' }),
  }
}

type Making = (key: SigningKey, payload: Record<string, unknown>, random: Random) => string

const now = () => Math.floor(Date.now() / 1000)

/** Everything that is done to tokens. The refusals that matter most are also tests of their own beside the filter. */
const MAKINGS: Readonly<Record<string, Making>> = {
  good: (key, payload) => makeToken(key, payload),
  'good without kid': (key, payload) => makeToken(key, payload, { alg: key.alg }),
  expired: (key, payload) => makeToken(key, { ...payload, exp: now() - 90 }),
  'expired within the skew': (key, payload) => makeToken(key, { ...payload, exp: now() - 30 }),
  'not yet valid': (key, payload) => makeToken(key, { ...payload, nbf: now() + 90 }),
  'not yet valid within the skew': (key, payload) => makeToken(key, { ...payload, nbf: now() + 30 }),
  'exp as text': (key, payload) => makeToken(key, { ...payload, exp: '1' }),
  'exp negative': (key, payload) => makeToken(key, { ...payload, exp: -1 }),
  'exp with fraction': (key, payload) => makeToken(key, { ...payload, exp: now() + 100.5 }),
  'exp null': (key, payload) => makeToken(key, { ...payload, exp: null }),
  'nbf huge': (key, payload) => makeToken(key, { ...payload, nbf: 1e30 }),
  'iat as list': (key, payload) => makeToken(key, { ...payload, iat: [] }),
  'iss number': (key, payload) => makeToken(key, { ...payload, iss: 7 }),
  'iss missing': (key, { iss: _iss, ...payload }) => makeToken(key, payload),
  'sub number': (key, payload) => makeToken(key, { ...payload, sub: 7 }),
  'jti number': (key, payload) => makeToken(key, { ...payload, jti: 7 }),
  'aud number': (key, payload) => makeToken(key, { ...payload, aud: 7 }),
  'aud mixed': (key, payload) => makeToken(key, { ...payload, aud: ['shop', 7] }),
  'payload tampered': (key, payload) => {
    const [header, , signature] = makeToken(key, payload).split('.')
    return [header, base64url(JSON.stringify({ ...payload, sub: 'mallory' })), signature].join('.')
  },
  'signature tampered': (key, payload) => tampered(makeToken(key, payload), 2),
  'header tampered': (key, payload) => tampered(makeToken(key, payload), 0),
  'alg none': (_key, payload) => `${base64url('{"alg":"none"}')}.${base64url(JSON.stringify(payload))}.`,
  'alg none, signed': (key, payload) => makeToken(key, payload, { alg: 'none' }),
  'alg None': (key, payload) => makeToken(key, payload, { alg: 'None' }),
  'alg unknown': (key, payload) => makeToken(key, payload, { alg: 'XS256' }),
  'alg number': (key, payload) => makeToken(key, payload, { alg: 1 }),
  'alg missing': (key, payload) => makeToken(key, payload, { kid: key.kid }),
  'kid number': (key, payload) => makeToken(key, payload, { alg: key.alg, kid: 1 }),
  'kid unknown': (key, payload) => makeToken(key, payload, { alg: key.alg, kid: 'nobody' }),
  'key of another': (key, payload) => makeToken({ ...key, ...strangerFor(key) }, payload, headerOf(key)),
  // For Envoy a key of one algorithm is good under the name of any: see differences-from-envoy.md.
  'alg of another': (key, payload) =>
    makeToken(key, payload, { ...headerOf(key), alg: /^[RPE]S/.test(key.alg) ? otherAlg(key.alg) : 'none' }),
  confusion: (key, payload) =>
    makeToken(
      {
        kid: key.kid,
        alg: 'HS256',
        secret: Buffer.isBuffer(key.secret) ? Buffer.from('pem') : publicPem(key),
        jwk: {},
      },
      payload,
    ),
  'payload no JSON': (key) => makeToken(key, '{"iss":'),
  'payload a list': (key) => makeToken(key, '[]'),
  'payload a text': (key) => makeToken(key, '"x"'),
  'header no JSON': (key, payload) => makeToken(key, payload, 'x'),
  'two sections': (key, payload) => makeToken(key, payload).split('.').slice(0, 2).join('.'),
  'four sections': (key, payload) => `${makeToken(key, payload)}.x`,
  'no signature': (key, payload) => makeToken(key, payload).replace(/[^.]*$/, ''),
  'bad base64 in the header': (key, payload) => `*${makeToken(key, payload)}`,
  'bad base64 in the payload': (key, payload) => makeToken(key, payload).replace('.', '.*'),
  'bad base64 in the signature': (key, payload) => `${makeToken(key, payload)}*`,
  // Envoy does not look at what follows an ECDSA signature: see differences-from-envoy.md.
  'one character too many': (key, payload) => `${makeToken(key, payload)}${key.alg.startsWith('ES') ? '*' : 'A'}`,
  'with a blank': (key, payload) => makeToken(key, payload).replace('.', ' .'),
  garbage: (_key, _payload, random) => one(random, ['x', 'a.b.c', 'Bearer', 'a b c', '%', 'ey.ey.ey']),
  long: (key, payload) => makeToken(key, { ...payload, padding: 'x'.repeat(8000) }),
}

const otherAlg = (alg: string) => (alg === 'RS256' ? 'RS512' : 'RS256')

function strangerFor(key: SigningKey): Partial<SigningKey> {
  if (Buffer.isBuffer(key.secret)) return { secret: Buffer.from('some other secret') }
  const other = ISSUERS.flatMap(({ keys }) => keys).find(({ alg, kid }) => alg === key.alg && kid !== key.kid)
  return other === undefined
    ? { alg: 'RS256', secret: (STRANGER.keys[0] as SigningKey).secret }
    : { secret: other.secret }
}

function randomToken(configuration: Configuration, goodChance: number, random: Random): { text: string; made: string } {
  const known = random.next() < 0.85
  const issuer: Issuer = known ? one(random, configuration.issuers) : one(random, [STRANGER, ...ISSUERS])
  const key = one(random, issuer.keys)
  const making = random.next() < goodChance ? 'good' : one(random, Object.keys(MAKINGS))
  const make = MAKINGS[making] as Making
  return {
    text: make(key, randomPayload(issuer.issuer, random), random),
    made: `${issuer.issuer} ${key.kid} ${making}`,
  }
}
