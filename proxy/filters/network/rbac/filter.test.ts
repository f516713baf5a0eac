import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { RBACSchema } from '../../../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { connectionFacts } from '../../../decide/connection-facts.ts'
import type { Trace } from '../../../decide/trace.ts'
import { ConnectionJudgement } from '../judgement.ts'
import { compileNetworkRbac } from './config.ts'

const compile = (config: object) =>
  compileNetworkRbac(anyPack(RBACSchema, fromJson(RBACSchema, config as JsonValue)), 'at', undefined)
const port = (destination_port: number) => ({ permissions: [{ destination_port }], principals: [{ any: true }] })
const facts = connectionFacts({ destinationPort: 80 })

function judge(...configs: object[]) {
  const counted: string[] = []
  const trace: Trace = []
  const count = (name: string) => counted.push(name)
  const { verdict, policy } = new ConnectionJudgement(configs.map(compile), facts, count, trace)
  return { verdict, policy: policy?.name, counted, looked: trace.length }
}

const LOG = { stat_prefix: 'tcp.', rules: { action: 'LOG', policies: { l: port(80) } } }
const DENY = { stat_prefix: 'tcp.', rules: { action: 'DENY', policies: { d: port(81) } } }
const ALLOW = { stat_prefix: 'tcp.', rules: { policies: { a: port(80) } } }

test('all filters are asked, up to one that denies', () => {
  const allowed = ['tcp.rbac.allowed', 'tcp.rbac.allowed', 'tcp.rbac.allowed']
  expect(judge(LOG, DENY, ALLOW)).toEqual({ verdict: 'allow', policy: 'a', counted: allowed, looked: 3 })
  const denying = { ...DENY, rules: { action: 'DENY', policies: { d: port(80) } } }
  const denied = ['tcp.rbac.allowed', 'tcp.rbac.denied']
  expect(judge(LOG, denying, ALLOW)).toEqual({ verdict: 'deny', policy: 'd', counted: denied, looked: 2 })
  const none = { ...ALLOW, rules: { policies: { a: port(1) } } }
  expect(judge(none)).toEqual({ verdict: 'deny', policy: undefined, counted: ['tcp.rbac.denied'], looked: 1 })
  expect(judge()).toEqual({ verdict: 'none', policy: undefined, counted: [], looked: 0 })
})

test('shadow rules are counted only', () => {
  const shadow = { stat_prefix: 'tcp.', shadow_rules_stat_prefix: 'x_', shadow_rules: { policies: {} } }
  expect(judge(shadow)).toMatchObject({ verdict: 'none', counted: ['tcp.rbac.x_shadow_denied'] })
})
