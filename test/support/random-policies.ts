import { type Random, randomInt } from '../../lib/random.ts'

/*
 * Random AuthorizationPolicies, and calls that meet them: both are drawn from the same few values, so that rules are often met
 * and often just missed.
 */

export const IDENTITIES = {
  web: ['URI:spiffe://cluster.local/ns/a/sa/web', 'DNS:web.a'],
  batch: ['URI:spiffe://cluster.local/ns/b/sa/batch'],
  old: ['URI:spiffe://old-td/ns/a/sa/web'],
  foreign: ['URI:spiffe://other/ns/a/sa/web', 'URI:spiffe://cluster.local/ns/c/sa/second'],
  nameless: ['DNS:web.a'],
} as const
export type Identity = keyof typeof IDENTITIES

const PRINCIPALS = [
  '*',
  'cluster.local/ns/a/sa/web',
  'cluster.local/ns/b/*',
  '*/ns/a/sa/web',
  'old-td/ns/a/sa/web',
  'other/ns/a/sa/web',
  'cluster.local/*',
  'cluster.local/ns/c/sa/second',
  'other*',
]
const NAMESPACES = ['a', 'b', '*', 'a*', 'c']
const SERVICE_ACCOUNTS = ['web', 'a/web', 'b/batch', 'c/second']
const TRUST_DOMAINS = ['cluster.local', 'other', 'old*', '*']
const REQUEST_PRINCIPALS = ['*', 'https://issuer/sub', 'https://issuer/*', '*/sub']
const BLOCKS = ['127.0.0.0/8', '127.0.0.1', '10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '0.0.0.0/0']
const HOSTS = ['*', 'a.shop', '*.shop', 'a.*', 'A.shop', 'a.shop:*', 'b']
const METHODS = ['GET', 'POST', 'P*', '*', '*T', 'DELETE']
const PATHS = [
  '*',
  '/',
  '/admin',
  '/admin/*',
  '*.html',
  '/v1/{*}/items',
  '/v1/{**}',
  '/{*}',
  '/v1/{*}/{**}',
  '/a*b',
  '/v1/x',
  '/admin/',
]
const HEADER_NAMES = ['x-user', 'x-none', 'user-agent']
const HEADER_VALUES = ['jane', 'ja*', '*ne', '*', 'jane,joe', 'joe', 'bot']
const SNIS = ['a.example', '*', '*.example', 'b.example']

export interface PolicyDraw {
  /** Port of the workload. */
  readonly port: number
  /** What else `ports` may say. */
  readonly otherPort: number
}

/** The spec of one policy. */
export function randomPolicy(random: Random, draw: PolicyDraw): Record<string, unknown> {
  const action = choose(random, ['ALLOW', 'ALLOW', 'ALLOW', 'DENY', 'DENY', 'AUDIT'])
  if (randomInt(random, 25) === 0) return {}
  const rules = Array.from({ length: 1 + randomInt(random, 3) }, () => randomRule(random, draw))
  return { action, rules }
}

function randomRule(random: Random, draw: PolicyDraw): object {
  if (randomInt(random, 15) === 0) return {}
  const part = (make: () => object) => Array.from({ length: 1 + randomInt(random, 2) }, make)
  const rule: Record<string, unknown> = {}
  if (randomInt(random, 2) === 0) rule.from = part(() => ({ source: randomSource(random) }))
  if (randomInt(random, 3) > 0) rule.to = part(() => ({ operation: randomOperation(random, draw) }))
  if (randomInt(random, 4) === 0) rule.when = part(() => randomCondition(random, draw))
  return rule
}

function randomSource(random: Random): object {
  if (randomInt(random, 5) === 0) return lists(random, { serviceAccounts: SERVICE_ACCOUNTS, ipBlocks: BLOCKS })
  return lists(random, {
    principals: PRINCIPALS,
    namespaces: NAMESPACES,
    trustDomains: TRUST_DOMAINS,
    ipBlocks: BLOCKS,
    remoteIpBlocks: BLOCKS,
    requestPrincipals: REQUEST_PRINCIPALS,
  })
}

function randomOperation(random: Random, { port, otherPort }: PolicyDraw): object {
  return lists(random, { hosts: HOSTS, methods: METHODS, paths: PATHS, ports: [String(port), String(otherPort)] })
}

/** One or two of these lists, each as it is or as what must not be. */
function lists(random: Random, pools: Readonly<Record<string, readonly string[]>>): object {
  const fields: Record<string, string[]> = {}
  for (let i = 1 + randomInt(random, 2); i > 0; i--) {
    const [field, pool] = choose(random, Object.entries(pools))
    const isNot = randomInt(random, 4) === 0
    fields[isNot ? `not${field[0]?.toUpperCase()}${field.slice(1)}` : field] = some(random, pool)
  }
  return fields
}

function randomCondition(random: Random, { port, otherPort }: PolicyDraw): object {
  const conditions: Readonly<Record<string, readonly string[]>> = {
    [`request.headers[${choose(random, HEADER_NAMES)}]`]: HEADER_VALUES,
    'source.ip': BLOCKS,
    'remote.ip': BLOCKS,
    'source.namespace': NAMESPACES,
    'source.principal': PRINCIPALS,
    'source.serviceAccount': SERVICE_ACCOUNTS,
    'source.trustDomain': TRUST_DOMAINS,
    'request.auth.principal': REQUEST_PRINCIPALS,
    'request.auth.audiences': ['*', 'shop'],
    'request.auth.claims[groups][inner]': ['*', 'admin'],
    'destination.ip': BLOCKS,
    'destination.port': [String(port), String(otherPort)],
    'connection.sni': SNIS,
    'experimental.envoy.filters.http.none[key]': ['*', 'x', '[x]'],
  }
  const [key, pool] = choose(random, Object.entries(conditions))
  const field = randomInt(random, 4) === 0 ? 'notValues' : 'values'
  return { key, [field]: some(random, pool) }
}

export interface RandomCall {
  readonly method: string
  readonly path: string
  readonly host: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** undefined: in plain text. */
  readonly identity: Identity | undefined
  readonly sni: string
}

const CALLED_PATHS = [
  '/',
  '/admin',
  '/admin?x=1',
  '/admin/',
  '/admin/users',
  '/Admin',
  '/v1/x',
  '/v1/x/items',
  '/v1/a*b/items',
  '/v1/x/y/items?q=/admin',
  '/v1/',
  '/v1/x%2Fy/items',
  '/v1/{x}/items',
  '/a*b',
  '/axb',
  '/index.html',
  '/v1/./x',
  '/admin;v=1',
  '/v1/x%41',
]

export function randomCall(random: Random): RandomCall {
  const headers: [string, string][] = []
  for (let i = randomInt(random, 3); i > 0; i--) {
    headers.push([choose(random, HEADER_NAMES), choose(random, ['jane', 'joe', 'ja', 'jane,joe', 'bot', ''])])
  }
  if (randomInt(random, 3) === 0) {
    headers.push(['x-forwarded-for', choose(random, ['10.1.2.3', '192.0.2.7', '10.1.2.3, 192.0.2.7', '2001:db8::1'])])
  }
  return {
    method: choose(random, ['GET', 'POST', 'PUT', 'DELETE', 'HEAD']),
    path: choose(random, CALLED_PATHS),
    host: choose(random, ['a.shop', 'A.SHOP', 'a.shop:80', 'b', 'c.shop.example']),
    headers,
    identity: choose(random, [undefined, ...(Object.keys(IDENTITIES) as Identity[])]),
    sni: choose(random, ['a.example', 'b.example', '']),
  }
}

function some(random: Random, pool: readonly string[]): string[] {
  return [...new Set(Array.from({ length: 1 + randomInt(random, 2) }, () => choose(random, pool)))]
}

export function choose<T>(random: Random, all: readonly T[]): T {
  return all[randomInt(random, all.length)] as T
}
