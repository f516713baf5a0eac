import type { RetryPolicy } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { RetryPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { durationMs } from './common.ts'

/** Conditions of `retry_on` (envoy router filter, x-envoy-retry-on and x-envoy-retry-grpc-on). */
const RETRY_CONDITIONS = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
])

const DEFAULT_BACKOFF_BASE_MS = 25

export function compileRetry(policy: RetryPolicy, path: string): RetryPlan {
  const on = new Set<string>()
  for (const condition of policy.retryOn.split(',').map((c) => c.trim())) {
    if (condition === '') continue
    if (!RETRY_CONDITIONS.has(condition))
      refuse(`${path}.retry_on`, `condition ${JSON.stringify(condition)} is not supported`)
    on.add(condition)
  }
  if (policy.retriableHeaders.length > 0) refuse(`${path}.retriable_headers`, 'not supported')
  if (policy.retriableRequestHeaders.length > 0) refuse(`${path}.retriable_request_headers`, 'not supported')
  if (policy.rateLimitedRetryBackOff !== undefined) refuse(`${path}.rate_limited_retry_back_off`, 'not supported')
  let avoidPreviousHosts = false
  policy.retryHostPredicate.forEach((predicate, i) => {
    if (predicate.name !== 'envoy.retry_host_predicates.previous_hosts') {
      refuse(`${path}.retry_host_predicate[${i}]`, `${predicate.name} is not supported`)
    }
    avoidPreviousHosts = true
  })
  const baseMs = durationMs(policy.retryBackOff?.baseInterval, DEFAULT_BACKOFF_BASE_MS)
  return {
    on,
    statuses: new Set(policy.retriableStatusCodes),
    attempts: policy.numRetries ?? 1,
    perTryTimeoutMs: durationMs(policy.perTryTimeout, 0),
    backoffBaseMs: baseMs,
    backoffMaxMs: durationMs(policy.retryBackOff?.maxInterval, baseMs * 10),
    avoidPreviousHosts,
    hostSelectionAttempts: Number(policy.hostSelectionRetryMaxAttempts) || 1,
  }
}
