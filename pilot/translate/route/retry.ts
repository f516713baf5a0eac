import { create } from '@bufbuild/protobuf'
import {
  type RetryPolicy,
  RetryPolicy_RetryBackOffSchema,
  RetryPolicy_RetryHostPredicateSchema,
  RetryPolicySchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { PreviousHostsPredicateSchema } from '../../../api/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import type { HTTPRetry } from '../../../crds/kinds/virtual-service.ts'
import { ISTIO_RETRY_ON, SAFE_RETRY_ON } from '../../mesh/options.ts'
import { any, durationOf } from '../messages.ts'

const RETRIABLE_STATUS_CODES = 'retriable-status-codes'
/** How often another host is drawn when the draw falls on one that failed already. */
const HOST_SELECTION_ATTEMPTS = 5n

/** The route's retries, else the mesh's (Istio's retry.ConvertPolicy). Undefined: none. */
export function retryPolicy(retries: HTTPRetry | undefined, fallback: HTTPRetry): RetryPolicy | undefined {
  const policy = retries ?? fallback
  // Of a policy without a number Istio makes one with its own default.
  const attempts = policy.attempts ?? fallback.attempts ?? 0
  if (attempts <= 0) return undefined
  const { retryOn, codes } = parseRetryOn(policy.retryOn)
  const perTryTimeout = durationOf(policy.perTryTimeout)
  const baseInterval = durationOf(policy.backoff)
  return create(RetryPolicySchema, {
    retryOn,
    numRetries: attempts,
    retriableStatusCodes: codes,
    ...(perTryTimeout && { perTryTimeout }),
    ...(baseInterval && { retryBackOff: create(RetryPolicy_RetryBackOffSchema, { baseInterval }) }),
    ...(policy.retryIgnorePreviousHosts !== false && otherHosts()),
  })
}

/** Whether nobody has said what is to be tried again: then what may be repeated is (`REPEATS_IDEMPOTENT_KEY`). */
export function isOwnChoice(retries: HTTPRetry | undefined, fallback: HTTPRetry): boolean {
  return retries === undefined && fallback.retryOn === SAFE_RETRY_ON && (fallback.attempts ?? 0) > 0
}

/** Numbers among the conditions are status codes. */
function parseRetryOn(text: string | undefined): { retryOn: string; codes: number[] } {
  const parts = (text === undefined || text === '' ? ISTIO_RETRY_ON : text)
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const codes = parts.filter((part) => /^\d+$/.test(part)).map(Number)
  const conditions = parts.filter((part) => !/^\d+$/.test(part))
  if (codes.length > 0 && !conditions.includes(RETRIABLE_STATUS_CODES)) conditions.push(RETRIABLE_STATUS_CODES)
  return { retryOn: conditions.join(','), codes }
}

function otherHosts() {
  const predicate = create(RetryPolicy_RetryHostPredicateSchema, {
    name: 'envoy.retry_host_predicates.previous_hosts',
    configType: {
      case: 'typedConfig',
      value: any(PreviousHostsPredicateSchema, create(PreviousHostsPredicateSchema)),
    },
  })
  return { retryHostPredicate: [predicate], hostSelectionRetryMaxAttempts: HOST_SELECTION_ATTEMPTS }
}
