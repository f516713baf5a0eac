import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from '@jest/globals'
import { RBACPerRouteSchema, RBACSchema } from '../../../../api/gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.js'
import { REGISTRY } from '../../../../api/registry.ts'
import type { Call } from '../../../decide/call.ts'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import { newDecision, resetDecision } from '../../../decide/decision.ts'
import { SYMBOLIC_SURROUNDINGS } from '../../../decide/surroundings.ts'
import { headOf, type TestCall } from '../../rbac/testing.ts'
import type { RbacConfig } from './config.ts'
import { rbac } from './filter.ts'

const origin = { kind: 'AuthorizationPolicy', namespace: 'a', name: 'b', file: 'c.yaml', line: 3 }
const compile = (config: object): RbacConfig =>
  rbac.compile(
    anyPack(RBACSchema, fromJson(RBACSchema, config as JsonValue, { registry: REGISTRY })),
    'at',
    new Map([['p', origin]]),
  )
const path = (exact: string) => ({ permissions: [{ url_path: { path: { exact } } }], principals: [{ any: true }] })

function judge(config: RbacConfig, call: TestCall = {}, decision = newDecision()) {
  const asked: Call = {
    head: headOf(call),
    facts: connectionFacts({}),
    random: { next: () => 0 },
    randomValue: 0,
    wallMs: () => 0,
    around: SYMBOLIC_SURROUNDINGS,
    addRequestId: () => {},
  }
  return { isAnswered: rbac.judge(config, asked, decision), decision }
}

test('ALLOW: who matches goes on, who does not is answered', () => {
  const config = compile({ rules: { policies: { p: path('/a') } } })
  const allowed = judge(config, { path: '/a' })
  expect(allowed.isAnswered).toBe(false)
  expect(allowed.decision.outcome).toBe('forward')
  expect(allowed.decision.authorization).toMatchObject({ verdict: 'allow', policy: { name: 'p', origin } })
  expect(allowed.decision.counted).toEqual(['rbac.allowed'])
  const { isAnswered, decision } = judge(config)
  expect(isAnswered).toBe(true)
  expect([decision.outcome, decision.status, decision.flag]).toEqual(['local_reply', 403, ''])
  expect(decision.body?.toString()).toBe('RBAC: access denied')
  expect(decision.detail).toBe('rbac_access_denied_matched_policy[none]')
  expect(decision.authorization).toEqual({ verdict: 'deny', policy: undefined })
  expect(decision.counted).toEqual(['rbac.denied'])
  resetDecision(decision)
  expect([decision.authorization.verdict, decision.counted]).toEqual(['none', []])
})

test('DENY: the reverse, and the policy is named', () => {
  const config = compile({ rules: { action: 'DENY', policies: { 'p q': path('/a') } }, rules_stat_prefix: 'x.' })
  const { decision } = judge(config, { path: '/a' })
  expect(decision.detail).toBe('rbac_access_denied_matched_policy[p_q]')
  expect(decision.counted).toEqual(['rbac.x.denied'])
  expect(judge(config).isAnswered).toBe(false)
})

test('LOG: everybody goes on, and the access log gets a hint', () => {
  const config = compile({ rules: { action: 'LOG', policies: { p: path('/a') } } })
  for (const [asked, hint] of [
    ['/a', true],
    ['/b', false],
  ] as const) {
    const { isAnswered, decision } = judge(config, { path: asked })
    expect(isAnswered).toBe(false)
    expect(decision.authorization.verdict).toBe('none')
    expect(decision.metadata?.get('envoy.common')).toEqual({ access_log_hint: hint })
  }
})

test('shadow rules leave what they found, and change nothing', () => {
  const config = compile({
    shadow_rules: { action: 'DENY', policies: { p: path('/a') } },
    shadow_rules_stat_prefix: 'istio_dry_run_deny_',
  })
  const { isAnswered, decision } = judge(config, { path: '/a' })
  expect(isAnswered).toBe(false)
  expect(decision.counted).toEqual(['rbac.istio_dry_run_deny_shadow_denied'])
  expect(decision.metadata?.get('envoy.filters.http.rbac')).toEqual({
    istio_dry_run_deny_shadow_engine_result: 'denied',
    istio_dry_run_deny_shadow_effective_policy_id: 'p',
  })
  const other = judge(config).decision
  expect(other.counted).toEqual(['rbac.istio_dry_run_deny_shadow_allowed'])
  expect(other.metadata?.get('envoy.filters.http.rbac')).toEqual({ istio_dry_run_deny_shadow_engine_result: 'allowed' })
})

test('no rules enforce nothing; rules without policies allow nobody', () => {
  expect(judge(compile({})).decision).toEqual(newDecision())
  expect(judge(compile({ rules: {} })).isAnswered).toBe(true)
  expect(judge(compile({ rules: { action: 'DENY' } })).isAnswered).toBe(false)
})

describe('for a route', () => {
  const perRoute = (config: object) =>
    rbac.compileForRoute(anyPack(RBACPerRouteSchema, fromJson(RBACPerRouteSchema, config as JsonValue)), 'at')

  test('its own rules, or none', () => {
    expect(judge(perRoute({})).isAnswered).toBe(false)
    expect(judge(perRoute({ rbac: { rules: {} } })).isAnswered).toBe(true)
  })
})

test('matcher trees are refused by name', () => {
  expect(() => compile({ matcher: {} })).toThrow('at.matcher')
  expect(() => compile({ shadow_matcher: {} })).toThrow('at.shadow_matcher')
})
