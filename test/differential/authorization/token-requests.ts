import { type Random, randomInt } from '../../../lib/random.ts'
import { choose } from '../../support/random-policies.ts'
import { makeToken, tampered } from '../../support/tokens.ts'
import { ISSUERS, type Issuer, STRANGER, SUBJECTS } from './token-policies.ts'

/** A request with no token, a good one, or one of some others. */
export interface TokenRequest {
  readonly method: string
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** What the tokens say, and what was done to them, for people. */
  readonly made: readonly string[]
}

const PLACES = ['bearer', 'bearer', 'bearer', 'param', 'x-token'] as const

export function randomTokenRequest(random: Random, nowSeconds: number): TokenRequest {
  const headers: [string, string][] = []
  const made: string[] = []
  let path = '/'
  for (let i = choose(random, [0, 1, 1, 1, 1, 1, 2]); i > 0; i--) {
    const issuer = random.next() < 0.9 ? choose(random, ISSUERS) : STRANGER
    const payload = randomPayload(issuer, random, nowSeconds)
    const making = random.next() < 0.7 ? 'good' : choose(random, BAD)
    const token = (MAKINGS[making] ?? makeGood)(issuer, payload, nowSeconds)
    const place = choose(random, PLACES)
    made.push(`${place} ${making} ${JSON.stringify(payload)}`)
    if (place === 'param') path = `/?access_token=${token}`
    else headers.push(place === 'bearer' ? ['authorization', `Bearer ${token}`] : ['x-token', token])
  }
  return { method: choose(random, ['GET', 'DELETE']), path, headers, made }
}

type Payload = Record<string, unknown>

const makeGood = ({ key }: Issuer, payload: Payload) => makeToken(key, payload)

const MAKINGS: Readonly<Record<string, (issuer: Issuer, payload: Payload, nowSeconds: number) => string>> = {
  expired: ({ key }, payload, now) => makeToken(key, { ...payload, exp: now - 3600 }),
  'not yet valid': ({ key }, payload, now) => makeToken(key, { ...payload, nbf: now + 3600 }),
  'signature tampered': ({ key }, payload) => tampered(makeToken(key, payload), 2),
  'key of another': (_issuer, payload) => makeToken(STRANGER.key, payload),
  'two sections': ({ key }, payload) => makeToken(key, payload).split('.').slice(0, 2).join('.'),
  garbage: () => 'x',
}
/** What passes for a token until it is looked at closely is drawn more often: most of it is refused for its issuer or audience first. */
const BAD = [
  ...['signature tampered', 'signature tampered', 'signature tampered', 'expired', 'expired'],
  ...['not yet valid', 'not yet valid', 'key of another', 'two sections', 'garbage'],
]

function randomPayload({ issuer }: Issuer, random: Random, nowSeconds: number): Payload {
  const maybe = (chance: number, fields: object) => (random.next() < chance ? fields : {})
  const one = (...values: unknown[]) => values[randomInt(random, values.length)]
  return {
    iss: issuer,
    exp: nowSeconds + 3600,
    ...maybe(0.9, { sub: choose(random, SUBJECTS) }),
    ...maybe(0.8, { aud: one('shop', 'pay', ['shop', 'pay'], ['x', 'pay'], [], '') }),
    ...maybe(0.5, { azp: one('portal', 'port', '', ['portal'], null) }),
    ...maybe(0.6, { groups: one('admin', 'users', ['users', 'admin'], ['other'], [], 'admin users', 7, [7, 'admin']) }),
    ...maybe(0.5, { scope: one('read write', 'read', '', ['read write'], ['write']) }),
    ...maybe(0.4, { roles: one('one two', 'two', ['one two']) }),
    ...maybe(0.6, { nested: one({ inner: 'deep' }, { inner: ['x', 'deep'] }, { inner: { deep: 1 } }, 'deep', [], {}) }),
    ...maybe(0.3, { flag: one(true, 'true'), number: one(7, '7') }),
    ...maybe(0.3, { 'a.b': 'dotted', a: { b: 'nested' } }),
  }
}
