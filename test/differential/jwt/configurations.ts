import { type Random, randomInt } from '../../../lib/random.ts'
import { keySetOf, makeKey, type SigningKey } from '../../support/tokens.ts'

/** Issuers with keys of every sort, and random RequestAuthentications that believe some of them. */

export interface Issuer {
  readonly issuer: string
  /** In its key set. */
  readonly keys: readonly SigningKey[]
}

/** Some keys say what they are for, and some do not. */
export const ISSUERS: readonly Issuer[] = [
  { issuer: 'https://a.test', keys: [makeKey('a1', 'RS256'), makeKey('a2', 'ES256'), makeKey('a3', 'PS256')] },
  { issuer: 'https://b.test/', keys: [makeKey('b1', 'ES384', { kid: 'b1' }), makeKey('b2', 'EdDSA', { kid: 'b2' })] },
  { issuer: 'c', keys: [makeKey('c1', 'RS512', { kid: 'c1', use: 'sig' }), makeKey('c2', 'HS256', { kid: 'c2' })] },
  { issuer: 'd@d.test', keys: [makeKey('d1', 'ES512', {}), makeKey('d2', 'RS384', {}), makeKey('d3', 'HS512', {})] },
]
/** In no configuration. */
export const STRANGER: Issuer = { issuer: 'https://stranger.test', keys: [makeKey('s1', 'RS256')] }

export interface Configuration {
  readonly rules: readonly object[]
  readonly issuers: readonly Issuer[]
}

export const AUDIENCES = ['shop', 'https://pay.test/', 'http://pay.test'] as const

export function randomConfiguration(random: Random): Configuration {
  const shuffled = [...ISSUERS].sort(() => random.next() - 0.5)
  const issuers = shuffled.slice(0, 1 + randomInt(random, 3))
  return { issuers, rules: issuers.map((issuer) => randomRule(issuer, random)) }
}

function randomRule({ issuer, keys }: Issuer, random: Random): object {
  const maybe = (chance: number, fields: object) => (random.next() < chance ? fields : {})
  const one = <T>(list: readonly T[]) => list[randomInt(random, list.length)] as T
  return {
    issuer,
    jwks: keySetOf(keys),
    ...maybe(0.3, { audiences: [one(AUDIENCES)] }),
    ...maybe(0.25, {
      fromHeaders: [
        one([{ name: 'x-token' }, { name: 'X-Jwt', prefix: 'jwt ' }, { name: 'Authorization', prefix: 'Bearer ' }]),
      ],
    }),
    ...maybe(0.2, { fromParams: [one(['token', 'access_token', 'a_b'])] }),
    ...maybe(0.2, { fromCookies: [one(['session', 'tok'])] }),
    ...maybe(0.5, { outputPayloadToHeader: one(['x-payload', 'X-Claims']) }),
    ...maybe(0.5, { forwardOriginalToken: one([true, false]) }),
    ...maybe(0.5, {
      outputClaimToHeaders: [
        { header: 'x-sub', claim: 'sub' },
        { header: 'X-Claim', claim: one(['group', 'nested.key', 'list', 'number', 'flag', 'nested', 'scope', 'none']) },
      ],
    }),
    ...maybe(0.2, { spaceDelimitedClaims: ['roles'] }),
  }
}
