import { fromJson, type JsonValue } from '@bufbuild/protobuf'
import { expect, test } from '@jest/globals'
import { HedgePolicySchema, RetryPolicySchema } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { REGISTRY } from '../../../api/registry.ts'
import { typed } from '../testing.ts'
import { compileHedge, compileRetry } from './retry.ts'

const compile = (policy: object) =>
  compileRetry(fromJson(RetryPolicySchema, policy as JsonValue, { registry: REGISTRY }), 'retry_policy')
const hedge = (policy: object) => compileHedge(fromJson(HedgePolicySchema, policy as JsonValue), 'hedge_policy')

const previousPriorities = (config: object) => ({
  retryPriority: {
    name: 'p',
    typedConfig: typed('retry.priority.previous_priorities.v3.PreviousPrioritiesConfig', config),
  },
})

test("what a policy leaves out is Envoy's", () => {
  expect(compile({ retryOn: '5xx, reset' })).toMatchObject({
    on: new Set(['5xx', 'reset']),
    attempts: 1,
    perTryTimeoutMs: 0,
    backoffBaseMs: 25,
    backoffMaxMs: 250,
    avoidPreviousHosts: false,
    hostSelectionAttempts: 1,
    priorityUpdateFrequency: 0,
    looksAtSuccess: false,
    looksAtGrpc: false,
  })
})

test('answers that are good otherwise are looked at only where they must be', () => {
  expect(compile({ retryOn: 'retriable-headers' }).looksAtSuccess).toBe(true)
  expect(compile({ retryOn: 'retriable-status-codes', retriableStatusCodes: [503] }).looksAtSuccess).toBe(false)
  expect(compile({ retryOn: 'retriable-status-codes', retriableStatusCodes: [202] }).looksAtSuccess).toBe(true)
  expect(compile({ retryOn: '5xx', retriableStatusCodes: [202] }).looksAtSuccess).toBe(false)
  expect(compile({ retryOn: 'unavailable' }).looksAtGrpc).toBe(true)
})

test('of priorities those that were not tried are turned to, anew after so many tries', () => {
  expect(compile(previousPriorities({ updateFrequency: 2 })).priorityUpdateFrequency).toBe(2)
})

test('times are whole milliseconds', () => {
  const { backoffBaseMs, backoffMaxMs } = compile({ retryBackOff: { baseInterval: '0.0005s', maxInterval: '0.0037s' } })
  expect([backoffBaseMs, backoffMaxMs]).toEqual([1, 3])
  const limited = { resetHeaders: [{ name: 'Retry-After' }, { name: 'X-Reset', format: 'UNIX_TIMESTAMP' }] }
  expect(compile({ rateLimitedRetryBackOff: limited }).rateLimited).toEqual({
    resetHeaders: [
      { name: 'retry-after', isTimestamp: false },
      { name: 'x-reset', isTimestamp: true },
    ],
    maxMs: 300_000,
  })
})

test.each([
  [{ retryOn: '5xx,nonsense' }, 'retry_policy.retry_on'],
  [{ retryPriority: { name: 'p' } }, 'retry_policy.retry_priority: p is not supported'],
  [previousPriorities({}), 'retry_policy.retry_priority.typed_config.update_frequency'],
  [previousPriorities({ updateFrequency: -1 }), 'retry_policy.retry_priority.typed_config.update_frequency'],
  [{ retryHostPredicate: [{ name: 'envoy.retry_host_predicates.omit_canary_hosts' }] }, 'retry_host_predicate[0]'],
  [{ retryBackOff: { baseInterval: '1s', maxInterval: '0.5s' } }, 'retry_back_off.max_interval'],
  [{ rateLimitedRetryBackOff: {} }, 'rate_limited_retry_back_off.reset_headers'],
  [{ retriableHeaders: [{}] }, 'retriable_headers[0].name'],
])('%j is refused', (policy, path) => {
  expect(() => compile(policy)).toThrow(path)
})

test('of hedging there is what Envoy has', () => {
  expect(hedge({ hedgeOnPerTryTimeout: true, initialRequests: 1 })).toBe(true)
  expect(() => hedge({ initialRequests: 2 })).toThrow('hedge_policy.initial_requests')
  expect(() => hedge({ additionalRequestChance: { numerator: 1 } })).toThrow('hedge_policy.additional_request_chance')
})
