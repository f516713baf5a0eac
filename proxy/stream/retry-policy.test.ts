import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { RouteConfigurationSchema } from '../../api/gen/envoy/config/route/v3/route_pb.js'
import { compileRouteConfig } from '../plan/compile/route-config.ts'
import type { RetryPlan } from '../plan/plan.ts'
import { retriesFailure } from './retry-policy.ts'

function retriesOf(metadata: object): RetryPlan {
  const route = {
    match: { prefix: '/' },
    route: { cluster: 'c', retryPolicy: { retryOn: 'connect-failure', numRetries: 2 } },
    metadata: { filterMetadata: metadata },
  }
  const json = { name: 't', virtualHosts: [{ name: 'v', domains: ['*'], routes: [route] }] }
  const { virtualHosts } = compileRouteConfig(fromJson(RouteConfigurationSchema, json as JsonValue))
  const action = virtualHosts[0]?.routes[0]?.action
  return (action?.kind === 'forward' ? action.retry : undefined) as RetryPlan
}

test('where the retries are the mesh’s own choice, what may be repeated is when its connection breaks', () => {
  const plan = retriesOf({ 'lateen.mesh': { repeats_idempotent: true } })
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
    expect([method, retriesFailure(plan, 'reset', true, method)]).toEqual([method, true])
  }
  expect(retriesFailure(plan, 'reset', true, 'POST')).toBe(false)
  expect(retriesFailure(plan, 'protocol_error', true, 'GET')).toBe(false)
  expect(retriesFailure(plan, 'connect_failure', false, 'POST')).toBe(true)
})

test('a policy that somebody wrote says all there is to say', () => {
  expect(retriesFailure(retriesOf({}), 'reset', true, 'GET')).toBe(false)
  expect(retriesFailure(retriesOf({ other: { repeats_idempotent: true } }), 'reset', true, 'GET')).toBe(false)
})
