import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { RouteConfigurationSchema } from '../../../api/gen/envoy/config/route/v3/route_pb.js'
import { REGISTRY } from '../../../api/registry.ts'
import type { ForwardPlan } from '../plan.ts'
import { notHonoured } from './honoured.ts'
import { compileRouteConfig } from './route-config.ts'

/** envoy.config.route.v3.RouteAction.UpgradeConfig. */

function parsed(upgradeConfigs: readonly object[]) {
  const routes = [{ match: { connectMatcher: {} }, route: { cluster: 'c', upgradeConfigs } }]
  const json = { name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes }] } as unknown as JsonValue
  return fromJson(RouteConfigurationSchema, json, { registry: REGISTRY })
}

function compile(...upgradeConfigs: object[]): ForwardPlan {
  return compileRouteConfig(parsed(upgradeConfigs), '').virtualHosts[0]?.routes[0]?.action as ForwardPlan
}

test('upgrades are let pass or not, and their case does not count', () => {
  const { upgrades, connect } = compile(
    { upgradeType: 'WebSocket' },
    { upgradeType: 'CONNECT', enabled: true },
    { upgradeType: 'h2x', enabled: false },
  )
  expect([...upgrades]).toEqual([
    ['websocket', true],
    ['connect', true],
    ['h2x', false],
  ])
  expect(connect).toBeUndefined()
})

test('CONNECT ends here where it is configured to', () => {
  expect(compile({ upgradeType: 'CONNECT', connectConfig: {} }).connect).toEqual({
    allowPost: false,
    proxyProtocol: undefined,
  })
  expect(compile({ upgradeType: 'connect', connectConfig: { allowPost: true } }).connect?.allowPost).toBe(true)
  const versionOf = (proxyProtocolConfig: object) =>
    compile({ upgradeType: 'CONNECT', connectConfig: { proxyProtocolConfig } }).connect?.proxyProtocol
  expect([versionOf({}), versionOf({ version: 'V1' }), versionOf({ version: 'V2' })]).toEqual(['v1', 'v1', 'v2'])
})

test.each([
  ['one type twice', [{ upgradeType: 'a' }, { upgradeType: 'A' }], /upgrade_configs\[1\]\.upgrade_type/],
  ['another type', [{ upgradeType: 'websocket', connectConfig: {} }], /upgrade_configs\[0\]\.connect_config/],
  [
    'what a client said in a PROXY header',
    [{ upgradeType: 'CONNECT', connectConfig: { proxyProtocolConfig: { passThroughTlvs: {} } } }],
    /upgrade_configs\[0\]\.connect_config\.proxy_protocol_config\.pass_through_tlvs/,
  ],
])('%s is refused by name', (_what, configs, name) => {
  expect(() => compile(...configs)).toThrow(name)
})

test('nothing of it is passed over', () => {
  const configs = [
    { upgradeType: 'CONNECT', enabled: true, connectConfig: { allowPost: true, proxyProtocolConfig: {} } },
  ]
  expect(notHonoured(RouteConfigurationSchema, parsed(configs))).toEqual([])
})
