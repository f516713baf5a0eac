import { expect, test } from '@jest/globals'
import { env } from '../../../lib/env.ts'
import { type Random, randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { findPolicy, type RbacEngine } from './engine.ts'
import { policyMatches } from './policy.ts'
import { askedOf, engineOf, type TestCall } from './testing.ts'

/** The index finds what a walk over all policies finds, by the same name. */

const seed = Number(env('LATEEN_TEST_SEED') || randomInt(systemRandom, 1_000_000))
const ENGINES = 150
const CALLS = 60

test(`index and walk agree (seed ${seed})`, () => {
  const random = seededRandom(seed)
  let indexed = 0
  let matched = 0
  for (let i = 0; i < ENGINES; i++) {
    const rbac = randomRbac(random)
    const engine = engineOf(rbac)
    if (engine.index !== undefined) indexed++
    for (let j = 0; j < CALLS; j++) {
      const call = randomCall(random)
      const walked = walk(engine, call)
      if (walked !== undefined) matched++
      expect({ seed, rbac, call, found: findPolicy(engine, askedOf(call))?.name }).toEqual({
        seed,
        rbac,
        call,
        found: walked,
      })
    }
  }
  expect(indexed).toBeGreaterThan(ENGINES / 2)
  expect(matched).toBeGreaterThan((ENGINES * CALLS) / 20)
})

function walk({ policies }: RbacEngine, call: TestCall): string | undefined {
  const asked = askedOf(call)
  return policies.find((policy) => policyMatches(policy, asked))?.name
}

const PATHS = ['/', '/a', '/a/b', '/a/bc', '/b', '/c.html', '/d/e/f']
const NAMES = ['spiffe://td/ns/a/sa/x', 'spiffe://td/ns/b/sa/x', 'spiffe://other/ns/a/sa/y', 'spiffe://td/ns/ab/sa/x']
const VALUES = ['', '1', '12', 'jane', 'jane,joe', 'Jane']
const HOSTS = ['a.shop', 'A.SHOP', 'b', 'b:80']

function randomRbac(random: Random): object {
  const count = randomInt(random, 40)
  const policies = Array.from({ length: count }, () => [
    `p${randomInt(random, 1000)}`,
    {
      permissions: some(random, 2, () => permission(random, 2)),
      principals: some(random, 2, () => principal(random, 2)),
    },
  ])
  return { policies: Object.fromEntries(policies) }
}

function permission(random: Random, depth: number): object {
  const inner = () => permission(random, depth - 1)
  const leaves = [
    () => ({ url_path: { path: text(random, PATHS) } }),
    () => ({ url_path: { path: text(random, PATHS) } }),
    () => ({ header: { name: ':method', string_match: { exact: choose(random, ['GET', 'POST']) } } }),
    () => ({ header: header(random) }),
    () => ({ destination_port: choose(random, [80, 81, 82]) }),
    () => ({ requested_server_name: text(random, ['a.example', 'b']) }),
    () => ({ uri_template: template(choose(random, ['/a/*', '/{x}/b', '/a/**', '/**', '/d/*/f'])) }),
    () => ({ not_rule: { destination_port: choose(random, [80, 81]) } }),
  ]
  if (randomInt(random, 20) === 0) return { any: true }
  if (depth === 0 || randomInt(random, 3) === 0) return choose(random, leaves)()
  return random.next() < 0.5
    ? { and_rules: { rules: some(random, 3, inner) } }
    : { or_rules: { rules: some(random, 3, inner) } }
}

function principal(random: Random, depth: number): object {
  const inner = () => principal(random, depth - 1)
  const leaves = [
    () => ({ authenticated: { principal_name: text(random, NAMES) } }),
    () => ({
      authenticated: { principal_name: regex(choose(random, ['.*/ns/a/.*', '.*/ns/b/.*', 'spiffe://.*/ns/a/sa/x'])) },
    }),
    () => ({ header: header(random) }),
    () => ({ metadata: metadata(random) }),
    () => ({ not_id: { authenticated: { principal_name: text(random, NAMES) } } }),
    () => ({ any: true }),
  ]
  if (depth === 0 || randomInt(random, 2) === 0) return choose(random, leaves)()
  return random.next() < 0.5
    ? { and_ids: { ids: some(random, 3, inner) } }
    : { or_ids: { ids: some(random, 3, inner) } }
}

function header(random: Random): object {
  const name = choose(random, ['x-a', 'x-b', ':authority'])
  const matcher = { name, string_match: text(random, name === ':authority' ? HOSTS : VALUES) }
  if (randomInt(random, 4) === 0) Object.assign(matcher.string_match, { ignore_case: true })
  if (randomInt(random, 6) === 0) return { ...matcher, invert_match: true }
  return randomInt(random, 6) === 0 ? { ...matcher, treat_missing_header_as_empty: true } : matcher
}

function metadata(random: Random): object {
  const string_match = text(random, VALUES)
  const value = random.next() < 0.5 ? { string_match } : { list_match: { one_of: { string_match } } }
  return { filter: 'f', path: [{ key: 'k' }], value, invert: randomInt(random, 5) === 0 }
}

/** A text of the pool, or what it begins or ends with. */
function text(random: Random, pool: readonly string[]): Record<string, unknown> {
  const whole = choose(random, pool)
  const part = randomInt(random, whole.length) + 1
  if (whole === '') return { exact: '' }
  switch (randomInt(random, 4)) {
    case 0:
      return { prefix: whole.slice(0, part) }
    case 1:
      return { suffix: whole.slice(-part) }
    case 2:
      return { contains: whole.slice(0, part) }
    default:
      return { exact: whole }
  }
}

const TEMPLATE = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig'
const template = (path_template: string) => ({ name: 't', typed_config: { '@type': TEMPLATE, path_template } })

const regex = (pattern: string) => ({ safe_regex: { regex: pattern } })

function randomCall(random: Random): TestCall {
  const metadata = choose(random, [undefined, 'jane', '1', ['1', 'jane']])
  return {
    method: choose(random, ['GET', 'POST', 'PUT']),
    path: choose(random, PATHS) + choose(random, ['', '?q']),
    host: choose(random, HOSTS),
    headers: Array.from({ length: randomInt(random, 3) }, () => [
      choose(random, ['x-a', 'x-b']),
      choose(random, VALUES),
    ]),
    ...(randomInt(random, 4) > 0 && {
      peer: Array.from({ length: 1 + randomInt(random, 2) }, () => choose(random, NAMES)),
    }),
    facts: { destinationPort: choose(random, [80, 81]), serverName: choose(random, ['', 'a.example']) },
    ...(metadata !== undefined && { metadata: new Map([['f', { k: metadata }]]) }),
  }
}

function some<T>(random: Random, max: number, make: () => T): T[] {
  return Array.from({ length: 1 + randomInt(random, max) }, make)
}

function choose<T>(random: Random, all: readonly T[]): T {
  return all[randomInt(random, all.length)] as T
}
