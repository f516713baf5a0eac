import { fieldMatches, pseudoMatches } from '../decide/fields.ts'
import type { HeaderMatcher } from '../plan/matchers.ts'
import type { RateLimitedBackOffPlan, RetryPlan } from '../plan/plan.ts'
import type { HeaderBlock } from './header-block.ts'

/** gRPC codes that may be retried, by their name in `retry_on` (envoy.md 2.8). */
const GRPC_CONDITIONS: Record<string, string> = {
  '1': 'cancelled',
  '4': 'deadline-exceeded',
  '8': 'resource-exhausted',
  '13': 'internal',
  '14': 'unavailable',
}

/** Whether the policy asks to try again after this response head. */
export function retriesResponse(plan: RetryPlan, status: number, head: HeaderBlock): boolean {
  const { on } = plan
  if (status < 400 && !plan.looksAtSuccess && !(plan.looksAtGrpc && head.has('grpc-status'))) return false
  // A rate-limited answer is retried only when that is asked for by name.
  if (head.has('x-envoy-ratelimited')) return on.has('envoy-ratelimited')
  if (status >= 500 && on.has('5xx')) return true
  if (status >= 502 && status <= 504 && on.has('gateway-error')) return true
  if (status === 409 && on.has('retriable-4xx')) return true
  if (plan.statuses.has(status) && on.has('retriable-status-codes')) return true
  if (on.has('retriable-headers')) {
    for (const matcher of plan.headers) if (responseMatches(matcher, status, head)) return true
  }
  if (!plan.looksAtGrpc) return false
  const condition = GRPC_CONDITIONS[head.get('grpc-status') ?? '']
  return condition !== undefined && on.has(condition)
}

function responseMatches(matcher: HeaderMatcher, status: number, head: HeaderBlock): boolean {
  const { name } = matcher
  if (name.charCodeAt(0) !== 58) return fieldMatches(matcher, head)
  return pseudoMatches(matcher, name === ':status' ? String(status) : undefined)
}

export type TryFailure =
  | 'connect_failure'
  | 'connect_timeout'
  | 'reset'
  | 'refused'
  | 'protocol_error'
  | 'per_try_timeout'

/** Whether the policy asks to try again after a try that gave no response. `requestWasSent`: its head had been written. */
export function retriesFailure(plan: RetryPlan, failure: TryFailure, requestWasSent: boolean, method: string): boolean {
  const { on } = plan
  if (failure === 'reset' && plan.repeatsIdempotent && isIdempotent(method)) return true
  if (on.has('5xx') || on.has('gateway-error') || on.has('reset')) return true
  if (!requestWasSent && on.has('reset-before-request')) return true
  if (failure === 'refused' && on.has('refused-stream')) return true
  return (failure === 'connect_failure' || failure === 'connect_timeout') && on.has('connect-failure')
}

/**
 * How long a rate-limited answer asks to stay away: what the first of these fields says that is understood and not too
 * long; 0 when none does (Envoy's parseResetInterval).
 */
export function resetIntervalMs(plan: RateLimitedBackOffPlan, head: HeaderBlock, wallMs: number): number {
  for (const { name, isTimestamp } of plan.resetHeaders) {
    const text = head.get(name)?.split(',', 1)[0]?.trim() ?? ''
    if (!/^\d{1,15}$/.test(text)) continue
    const seconds = isTimestamp ? Number(text) - Math.floor(wallMs / 1000) : Number(text)
    const intervalMs = seconds * 1000
    if (intervalMs >= 0 && intervalMs <= plan.maxMs) return intervalMs
  }
  return 0
}

/** Methods that may be sent twice (RFC 9110 section 9.2.2). */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'OPTIONS':
    case 'PUT':
    case 'DELETE':
    case 'TRACE':
      return true
    default:
      return false
  }
}
