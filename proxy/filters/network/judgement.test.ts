import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { expect, test } from '@jest/globals'
import { ExtAuthzSchema } from '../../../api/gen/envoy/extensions/filters/network/ext_authz/v3/ext_authz_pb.js'
import { RBACSchema } from '../../../api/gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.js'
import { connectionFacts } from '../../decide/connection-facts.ts'
import { metadataAt } from '../../decide/metadata.ts'
import type { ConnectionAnswer } from './ext-authz/check.ts'
import { compileNetworkExtAuthz } from './ext-authz/config.ts'
import { ConnectionJudgement, type NetworkAuthorizationPlan } from './judgement.ts'
import { compileNetworkRbac } from './rbac/config.ts'

const rbac = (config: object) =>
  compileNetworkRbac(anyPack(RBACSchema, fromJson(RBACSchema, config as JsonValue)), 'at', undefined)
const extAuthz = (config: object = {}) => {
  const json = { stat_prefix: 'tcp.', grpc_service: { envoy_grpc: { cluster_name: 'authz' } }, ...config }
  return compileNetworkExtAuthz(anyPack(ExtAuthzSchema, fromJson(ExtAuthzSchema, json as JsonValue)), 'at')
}
const port = (destination_port: number) => ({ permissions: [{ destination_port }], principals: [{ any: true }] })
/** As the pilot writes them: shadow rules, and who they find is asked about. */
const SHADOW = rbac({
  stat_prefix: 'tcp.',
  shadow_rules_stat_prefix: 'x_',
  shadow_rules: { action: 'DENY', policies: { 'x-rule': port(80) } },
})
const ASKS = extAuthz({
  filter_enabled_metadata: {
    filter: 'envoy.filters.network.rbac',
    path: [{ key: 'x_shadow_effective_policy_id' }],
    value: { string_match: { prefix: 'x-' } },
  },
})

const answer = (result: ConnectionAnswer['result']): ConnectionAnswer => ({ result, metadata: undefined })

function judge(filters: readonly NetworkAuthorizationPlan[], destinationPort: number) {
  const counted: string[] = []
  const judgement = new ConnectionJudgement(filters, connectionFacts({ destinationPort }), (name) => counted.push(name))
  return { judgement, counted }
}

test('those that shadow rules find are asked about, and what comes after waits for the answer', () => {
  const deny = rbac({ stat_prefix: 'tcp.', rules: { action: 'DENY', policies: { d: port(80) } } })
  const { judgement, counted } = judge([SHADOW, ASKS, deny], 80)
  expect([judgement.asks, judgement.verdict]).toEqual([ASKS, 'none'])
  expect(counted).toEqual(['tcp.rbac.x_shadow_denied', 'ext_authz.tcp.total'])
  judgement.resume({ result: 'ok', metadata: { who: 'me' } })
  expect([judgement.asks, judgement.verdict, judgement.policy?.name]).toEqual([undefined, 'deny', 'd'])
  expect(counted.slice(2)).toEqual(['ext_authz.tcp.ok', 'tcp.rbac.denied'])
  expect(metadataAt(judgement, 'envoy.filters.network.ext_authz', ['who'])).toBe('me')
  // Nobody has asked again.
  judgement.resume(answer('denied'))
  expect(counted).toHaveLength(4)
})

test('others are not', () => {
  const { judgement, counted } = judge([SHADOW, ASKS], 81)
  expect([judgement.asks, judgement.verdict]).toEqual([undefined, 'none'])
  expect(counted).toEqual(['tcp.rbac.x_shadow_allowed', 'ext_authz.tcp.disabled'])
})

test.each([
  ['denied', false, 'deny', ['ext_authz.tcp.denied', 'ext_authz.tcp.cx_closed']],
  ['denied', true, 'deny', ['ext_authz.tcp.denied', 'ext_authz.tcp.cx_closed']],
  ['error', false, 'deny', ['ext_authz.tcp.error', 'ext_authz.tcp.cx_closed']],
  ['error', true, 'none', ['ext_authz.tcp.error', 'ext_authz.tcp.failure_mode_allowed']],
] as const)('%s with failure_mode_allow %s: %s', (result, failure_mode_allow, verdict, counters) => {
  const { judgement, counted } = judge([extAuthz({ failure_mode_allow })], 80)
  judgement.resume(answer(result))
  expect([judgement.verdict, counted.slice(1)]).toEqual([verdict, counters])
})

test('two servers are asked one after the other', () => {
  const second = extAuthz({ stat_prefix: 'second.' })
  const { judgement, counted } = judge([extAuthz(), second], 80)
  judgement.resume(answer('ok'))
  expect(judgement.asks).toBe(second)
  judgement.resume(answer('ok'))
  expect(judgement.asks).toBeUndefined()
  expect(counted).toEqual(['ext_authz.tcp.total', 'ext_authz.tcp.ok', 'ext_authz.second.total', 'ext_authz.second.ok'])
})

test.each([
  ['include_tls_session', { include_tls_session: true }],
  ['bootstrap_metadata_labels_key', { bootstrap_metadata_labels_key: 'labels' }],
  ['grpc_service', { grpc_service: { google_grpc: { target_uri: 'a', stat_prefix: 'b' } } }],
  ['transport_api_version', { transport_api_version: 'V2' }],
])('%s is refused by name', (field, config) => {
  expect(() => extAuthz(config)).toThrow(`at.${field}`)
})
