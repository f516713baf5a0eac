import { fromBinary } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { RouteConfigurationSchema } from '../../api/gen/envoy/config/route/v3/route_pb.js'
import { TYPE_URL } from '../../api/type-urls.ts'
import { istio, node, publisherOf, serviceYaml } from '../testing/mesh.ts'

/** Routes depend on DestinationRules, but only on those that say what is hashed. */

const rule = (loadBalancer: object) =>
  istio('DestinationRule', 'reviews', { host: 'reviews', trafficPolicy: { loadBalancer } })

const { source, clock, publisher } = publisherOf({
  'services.yaml': serviceYaml('reviews') + serviceYaml('ratings'),
  'rule.yaml': rule({ simple: 'RANDOM' }),
})

const table = () => publisher.viewFor(node()).get(TYPE_URL.route, '80')

function hashed(): (string | undefined)[] {
  const message = fromBinary(RouteConfigurationSchema, table()?.bytes as Uint8Array)
  const host = message.virtualHosts.find(({ name }) => name.startsWith('reviews'))
  const action = host?.routes[0]?.action
  return action?.case === 'route' ? action.value.hashPolicy.map(({ policySpecifier }) => policySpecifier.case) : []
}

function change(loadBalancer: object): void {
  source.set('rule.yaml', rule(loadBalancer))
  clock.advance(1000)
}

test('a rule that begins to hash, hashes otherwise and ends hashing changes the route', () => {
  expect(hashed()).toEqual([])
  change({ consistentHash: { useSourceIp: true } })
  expect(hashed()).toEqual(['connectionProperties'])
  change({ consistentHash: { httpHeaderName: 'x-user' } })
  expect(hashed()).toEqual(['header'])
  change({ simple: 'ROUND_ROBIN' })
  expect(hashed()).toEqual([])
})

test('another rule changes no route', () => {
  change({ simple: 'RANDOM' })
  const before = table()
  change({ simple: 'ROUND_ROBIN', warmup: { duration: '10s' } })
  expect(table()).toBe(before)
})
