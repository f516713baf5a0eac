import { type Random, randomInt } from '../../../lib/random.ts'
import { choose } from '../../support/random-policies.ts'
import { keySetOf, makeKey, type SigningKey } from '../../support/tokens.ts'

/*
 * Random RequestAuthentications and AuthorizationPolicies that ask for what their tokens say. Tokens are drawn from the same few
 * values (token-requests.ts), so that rules are often met and often just missed.
 */

export interface Issuer {
  readonly issuer: string
  readonly key: SigningKey
}

/** One is the beginning of another, and one holds no slash: principals are divided at slashes. */
export const ISSUERS: readonly Issuer[] = [
  { issuer: 'https://a.test', key: makeKey('a', 'ES256') },
  { issuer: 'https://a.test/v2', key: makeKey('a2', 'ES256') },
  { issuer: 'c', key: makeKey('c', 'EdDSA', { kid: 'c' }) },
]
/** In no configuration. */
export const STRANGER: Issuer = { issuer: 'https://stranger.test', key: makeKey('s', 'ES256') }

export const SUBJECTS = ['alice', 'bob', 'v2/alice', 'alice/', '']
const PRINCIPALS = [
  '*',
  'https://a.test/alice',
  'https://a.test/*',
  'https://a.test/v2/*',
  'https://a.test/v2/alice',
  'https://a*',
  'c/alice',
  'c/*',
  'c*',
  '*/alice',
  '*alice',
  '*v2/alice',
  '*/v2/alice',
  '*/',
  'alice',
]
/** What a claim may be in a token, and what rules ask for. */
const CLAIMS: Readonly<Record<string, readonly string[]>> = {
  'request.auth.audiences': ['shop', 'pay', '*', 'sh*', '*y'],
  'request.auth.presenter': ['portal', 'port*', '*'],
  'request.auth.claims[groups]': ['admin', 'users', 'ad*', '*ers', '*', 'admin users'],
  'request.auth.claims[scope]': ['read', 'write', 'read write', '*'],
  'request.auth.claims[roles]': ['one', 'two', 'one two'],
  'request.auth.claims[nested][inner]': ['deep', 'd*', '*', '*p'],
  'request.auth.claims[nested]': ['deep', '*'],
  'request.auth.claims[flag]': ['true', '*'],
  'request.auth.claims[number]': ['7', '*'],
  'request.auth.claims[a.b]': ['dotted', '*'],
  'request.auth.claims[iss]': ['c', 'https://*'],
  'request.auth.claims[none]': ['x', '*'],
}

/** Specs of one or two RequestAuthentications. */
export function randomTokenRules(random: Random): Record<string, unknown>[] {
  const shuffled = [...ISSUERS].sort(() => random.next() - 0.5)
  const issuers = shuffled.slice(0, 1 + randomInt(random, 3))
  const rules = issuers.map(({ issuer, key }) => ({
    issuer,
    jwks: keySetOf([key]),
    ...(random.next() < 0.2 && { audiences: [choose(random, ['shop', 'pay'])] }),
    ...(random.next() < 0.2 && { fromHeaders: [{ name: 'x-token' }] }),
    ...(random.next() < 0.3 && { forwardOriginalToken: true }),
    ...(random.next() < 0.3 && { spaceDelimitedClaims: ['roles'] }),
  }))
  const [first, ...others] = rules
  return others.length > 0 && random.next() < 0.5
    ? [{ jwtRules: [first] }, { jwtRules: others }]
    : [{ jwtRules: rules }]
}

/** The spec of one AuthorizationPolicy. */
export function randomTokenPolicy(random: Random): Record<string, unknown> {
  const action = choose(random, ['ALLOW', 'ALLOW', 'ALLOW', 'DENY', 'DENY', 'AUDIT'])
  return { action, rules: Array.from({ length: 1 + randomInt(random, 3) }, () => randomRule(random)) }
}

function randomRule(random: Random): object {
  const rule: Record<string, unknown> = {}
  if (random.next() < 0.5) {
    rule.from = Array.from({ length: 1 + randomInt(random, 2) }, () => ({ source: randomSource(random) }))
  }
  if (rule.from === undefined || random.next() < 0.4) {
    rule.when = Array.from({ length: 1 + randomInt(random, 2) }, () => randomCondition(random))
  }
  if (random.next() < 0.2) rule.to = [{ operation: { methods: ['GET'] } }]
  return rule
}

function randomSource(random: Random): object {
  const wanted = { requestPrincipals: some(random, PRINCIPALS) }
  const unwanted = { notRequestPrincipals: some(random, PRINCIPALS) }
  return choose(random, [wanted, wanted, unwanted, { ...wanted, ...unwanted }])
}

function randomCondition(random: Random): object {
  const isPrincipal = random.next() < 0.2
  const [key, pool] = isPrincipal ? ['request.auth.principal', PRINCIPALS] : choose(random, Object.entries(CLAIMS))
  const values = { values: some(random, pool) }
  const notValues = { notValues: some(random, pool) }
  return { key, ...choose(random, [values, values, notValues, { ...values, ...notValues }]) }
}

function some(random: Random, pool: readonly string[]): string[] {
  return [...new Set(Array.from({ length: 1 + randomInt(random, 2) }, () => choose(random, pool)))]
}
