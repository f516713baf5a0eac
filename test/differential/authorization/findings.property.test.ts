import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { RBACSchema } from '../../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { analyze } from '../../../config/analysis/analyze.ts'
import { ruleCovers } from '../../../config/analysis/authorization/cover.ts'
import { clausesOf } from '../../../config/analysis/authorization/lists.ts'
import { MemorySource } from '../../../config/sources/memory.ts'
import type { AuthorizationRule } from '../../../crds/kinds/authorization-policy.ts'
import { type Random, randomInt, seededRandom, systemRandom } from '../../../lib/random.ts'
import { DEFAULT_MESH_OPTIONS } from '../../../pilot/mesh/options.ts'
import { rbacOf } from '../../../pilot/translate/security/authorization/rules.ts'
import { compileRbac } from '../../../proxy/filters/http/rbac/config.ts'
import { findPolicy, type RbacEngine } from '../../../proxy/filters/rbac/engine.ts'
import { askedOf, type TestCall } from '../../../proxy/filters/rbac/testing.ts'
import { IDENTITIES, randomCall, randomPolicy } from '../../support/random-policies.ts'

/** What analyze says of rules is true of what the proxy makes of them. */

const seed = Number(process.env.LATEEN_TEST_SEED || randomInt(systemRandom, 1_000_000))
const RULES = 400
const CALLS = 300
const DRAW = { port: 8080, otherPort: 9090 }
const MESH = { ...DEFAULT_MESH_OPTIONS, trustDomainAliases: ['old-td'] }

const random = seededRandom(seed)
const rules = randomRules(random)
const calls = Array.from({ length: CALLS }, () => callOf(random))
const met = rules.map((rule) => {
  const engine = engineOf(rule)
  return calls.map((call) => findPolicy(engine, askedOf(call)) !== undefined)
})

test(`what a rule covers is met by it too (seed ${seed})`, () => {
  const clauses = rules.map((rule) => clausesOf(rule, 'a'))
  let covers = 0
  for (const [i, wide] of clauses.entries()) {
    for (const [j, narrow] of clauses.entries()) {
      if (i === j || !ruleCovers(wide, narrow)) continue
      covers++
      const missed = calls.find((_call, k) => met[j]?.[k] === true && met[i]?.[k] !== true)
      expect({ seed, wide: rules[i], narrow: rules[j], missed }).toMatchObject({ missed: undefined })
    }
  }
  expect(covers).toBeGreaterThan(RULES)
})

test(`what is said never to be met is not (seed ${seed})`, () => {
  const objects = rules.map((rule, i) =>
    JSON.stringify({
      apiVersion: 'security.istio.io/v1',
      kind: 'AuthorizationPolicy',
      metadata: { name: `p${i}`, namespace: 'a' },
      spec: { rules: [rule] },
    }),
  )
  const source = new MemorySource({ 'a.yaml': objects.join('\n---\n') })
  const findings = analyze(source.current().objects, { trustDomains: ['cluster.local', 'old-td'] })
  const never = findings.filter(({ message }) => message.includes('is never met'))
  expect(never.length).toBeGreaterThan(0)
  for (const { object, message } of never) {
    const rule = rules[Number(object.name.slice(1))] as AuthorizationRule
    // It is said of one part, and others may be met.
    if ((rule.from?.length ?? 0) > 1 || (rule.to?.length ?? 0) > 1) continue
    expect({ seed, rule, message, met: met[Number(object.name.slice(1))]?.includes(true) }).toMatchObject({
      met: false,
    })
  }
})

function randomRules(random: Random): AuthorizationRule[] {
  const found: AuthorizationRule[] = []
  while (found.length < RULES) found.push(...((randomPolicy(random, DRAW).rules ?? []) as AuthorizationRule[]))
  return found.slice(0, RULES)
}

function engineOf(rule: AuthorizationRule): RbacEngine {
  const origin = { kind: '', namespace: '', name: '', file: '', line: 0 }
  const plan = { namespace: 'a', name: 'p', spec: { rules: [rule] }, isDryRun: false, origin, ruleOrigins: [origin] }
  const rbac = rbacOf([plan], 'ALLOW', { isTcp: false, mesh: MESH })
  return compileRbac(anyPack(RBACSchema, create(RBACSchema, { rules: rbac })), '').rules?.engine as RbacEngine
}

function callOf(random: Random): TestCall {
  const { identity, sni, headers, method, path, host } = randomCall(random)
  const names = identity === undefined ? [] : IDENTITIES[identity]
  const peer = names.filter((name) => name.startsWith('URI:')).map((name) => name.slice('URI:'.length))
  const addresses = ['127.0.0.1', '127.0.0.9', '10.1.2.3', '192.0.2.7']
  const source = addresses[randomInt(random, addresses.length)] as string
  return {
    method,
    path,
    host,
    headers,
    ...(peer.length > 0 && { peer }),
    clientAddress: addresses[randomInt(random, addresses.length)] as string,
    facts: {
      serverName: sni,
      directSourceAddress: source,
      sourceAddress: source,
      destinationAddress: '127.0.0.1',
      destinationPort: randomInt(random, 2) === 0 ? DRAW.port : DRAW.otherPort,
    },
  }
}
