import { anyUnpack } from '@bufbuild/protobuf/wkt'
import {
  type HedgePolicy,
  type RetryPolicy_RateLimitedRetryBackOff as RateLimitedBackOff,
  RetryPolicy_ResetHeaderFormat as ResetFormat,
  type RetryPolicy,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { PreviousPrioritiesConfigSchema } from '../../../api/gen/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config_pb.js'
import { GRPC_RETRY_CONDITIONS, HTTP_RETRY_CONDITIONS } from '../../../api/retry-conditions.ts'
import type { RateLimitedBackOffPlan, RetryPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { durationMs } from './common.ts'
import { compileHeaderMatcher } from './route-match.ts'

/** The condition about HTTP/3 is without effect: nothing is sent by it. */
export const RETRY_CONDITIONS: ReadonlySet<string> = new Set(HTTP_RETRY_CONDITIONS)
export const GRPC_CONDITIONS: ReadonlySet<string> = new Set(GRPC_RETRY_CONDITIONS)

const DEFAULT_BACKOFF_BASE_MS = 25
const DEFAULT_RESET_MAX_MS = 300_000
const PREVIOUS_HOSTS = 'envoy.retry_host_predicates.previous_hosts'

/** envoy.config.route.v3.RetryPolicy. Throws a PlanError that names the field. */
export function compileRetry(policy: RetryPolicy, path: string): RetryPlan {
  const on = new Set<string>()
  for (const condition of policy.retryOn.split(',').map((c) => c.trim())) {
    if (condition === '') continue
    if (!RETRY_CONDITIONS.has(condition) && !GRPC_CONDITIONS.has(condition)) {
      refuse(`${path}.retry_on`, `condition ${JSON.stringify(condition)} is not supported`)
    }
    on.add(condition)
  }
  if (policy.retryOptionsPredicates.length > 0) refuse(`${path}.retry_options_predicates`, 'not supported')
  policy.retryHostPredicate.forEach((predicate, i) => {
    if (predicate.name !== PREVIOUS_HOSTS) {
      refuse(`${path}.retry_host_predicate[${i}]`, `${predicate.name} is not supported`)
    }
  })
  const headers = policy.retriableHeaders.map((m, i) => compileHeaderMatcher(m, `${path}.retriable_headers[${i}]`))
  return {
    on,
    statuses: new Set(policy.retriableStatusCodes),
    headers,
    requestHeaders: policy.retriableRequestHeaders.map((matcher, i) =>
      compileHeaderMatcher(matcher, `${path}.retriable_request_headers[${i}]`),
    ),
    ...looksOf(on, policy.retriableStatusCodes),
    attempts: policy.numRetries ?? 1,
    perTryTimeoutMs: durationMs(policy.perTryTimeout, 0),
    perTryIdleTimeoutMs: durationMs(policy.perTryIdleTimeout, 0),
    ...compileBackOff(policy, path),
    rateLimited: policy.rateLimitedRetryBackOff && compileRateLimited(policy.rateLimitedRetryBackOff, path),
    avoidPreviousHosts: policy.retryHostPredicate.length > 0,
    hostSelectionAttempts: Number(policy.hostSelectionRetryMaxAttempts) || 1,
    repeatsIdempotent: false,
    priorityUpdateFrequency: compilePriority(policy, `${path}.retry_priority`),
    isForOthers: false,
  }
}

/** What of an answer must be looked at: most are good, and should cost little. */
export function looksOf(
  on: ReadonlySet<string>,
  statuses: Iterable<number>,
): Pick<RetryPlan, 'looksAtSuccess' | 'looksAtGrpc'> {
  const looksAtSuccess =
    on.has('retriable-headers') || (on.has('retriable-status-codes') && [...statuses].some((status) => status < 400))
  return { looksAtSuccess, looksAtGrpc: GRPC_RETRY_CONDITIONS.some((condition) => on.has(condition)) }
}

/** Envoy has one kind, previous_priorities, and finds it by the type of its configuration. */
function compilePriority({ retryPriority }: RetryPolicy, path: string): number {
  if (retryPriority === undefined) return 0
  const { name, configType } = retryPriority
  const config = configType.case === 'typedConfig' && anyUnpack(configType.value, PreviousPrioritiesConfigSchema)
  if (!config) return refuse(path, `${name} is not supported, or has no typed_config`)
  if (config.updateFrequency <= 0) refuse(`${path}.typed_config.update_frequency`, 'must be over 0')
  return config.updateFrequency
}

function compileBackOff(
  { retryBackOff }: RetryPolicy,
  path: string,
): Pick<RetryPlan, 'backoffBaseMs' | 'backoffMaxMs'> {
  // Envoy counts whole milliseconds, and takes less than one for one.
  const whole = (ms: number) => Math.max(1, Math.floor(ms))
  const backoffBaseMs = whole(durationMs(retryBackOff?.baseInterval, DEFAULT_BACKOFF_BASE_MS))
  const backoffMaxMs = whole(durationMs(retryBackOff?.maxInterval, backoffBaseMs * 10))
  if (backoffMaxMs < backoffBaseMs) refuse(`${path}.retry_back_off.max_interval`, 'is less than base_interval')
  return { backoffBaseMs, backoffMaxMs }
}

function compileRateLimited(backOff: RateLimitedBackOff, path: string): RateLimitedBackOffPlan {
  if (backOff.resetHeaders.length === 0) refuse(`${path}.rate_limited_retry_back_off.reset_headers`, 'one is needed')
  return {
    resetHeaders: backOff.resetHeaders.map(({ name, format }, i) => {
      if (name === '') refuse(`${path}.rate_limited_retry_back_off.reset_headers[${i}].name`, 'a header name is needed')
      return { name: name.toLowerCase(), isTimestamp: format === ResetFormat.UNIX_TIMESTAMP }
    }),
    maxMs: durationMs(backOff.maxInterval, DEFAULT_RESET_MAX_MS),
  }
}

/** envoy.config.route.v3.HedgePolicy: whether a try that is slow gets a rival. */
export function compileHedge(policy: HedgePolicy, path: string): boolean {
  // Envoy has never implemented these.
  if ((policy.initialRequests ?? 1) !== 1) refuse(`${path}.initial_requests`, 'is not implemented')
  if (policy.additionalRequestChance !== undefined && policy.additionalRequestChance.numerator > 0) {
    refuse(`${path}.additional_request_chance`, 'is not implemented')
  }
  return policy.hedgeOnPerTryTimeout
}
