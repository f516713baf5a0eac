import { GRPC_CONDITIONS, looksOf, RETRY_CONDITIONS } from '../plan/compile/retry.ts'
import { presentHeaders } from '../plan/matchers.ts'
import type { ForwardPlan, RetryPlan } from '../plan/plan.ts'
import type { RequestHead } from '../stream/message.ts'
import type { Call } from './call.ts'
import type { Decision } from './decision.ts'
import { headerMatches, wholeNumber } from './fields.ts'
import { isGrpc } from './route.ts'

/** Envoy's, for a request that asks for retries where the route has no policy. */
const NO_POLICY: RetryPlan = {
  on: new Set(),
  statuses: new Set(),
  headers: [],
  requestHeaders: [],
  looksAtSuccess: false,
  looksAtGrpc: false,
  attempts: 1,
  perTryTimeoutMs: 0,
  perTryIdleTimeoutMs: 0,
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  rateLimited: undefined,
  avoidPreviousHosts: false,
  hostSelectionAttempts: 1,
  repeatsIdempotent: false,
  priorityUpdateFrequency: 0,
  isForOthers: false,
}

/**
 * How long a call may take, and how it is tried: what the route says, then what the request says in headers when its caller may
 * (Envoy's FilterUtility::finalTimeout and RetryStateImpl). Headers that are obeyed go no further.
 */
export function decideTries(action: ForwardPlan, call: Call, decision: Decision): void {
  const { head } = call
  const { caller } = decision
  decision.priority = action.priority
  decision.retry = action.retry ?? decision.virtualHost?.retry
  decision.hedges = action.hedges ?? decision.virtualHost?.hedges ?? false
  decision.timeoutMs = timeoutOf(action, call)
  decision.maxDurationMs = action.maxDuration === undefined ? 0 : maxDurationOf(action.maxDuration, call)
  if (caller.steers) obey(head, decision)
  const { retry } = decision
  if (retry !== undefined && retry.requestHeaders.length > 0 && retry.on.size > 0) {
    if (!retry.requestHeaders.some((matcher) => headerMatches(matcher, head))) {
      const attempts = (action.retry ?? decision.virtualHost?.retry ?? NO_POLICY).attempts
      decision.retry = { ...NO_POLICY, ...timesOf(retry), attempts, isForOthers: true }
    }
  }
  // Nobody waits any longer than the caller does.
  if (caller.timeoutMs > 0 && (decision.timeoutMs === 0 || caller.timeoutMs < decision.timeoutMs)) {
    decision.timeoutMs = caller.timeoutMs
  }
  const perTryMs = decision.retry?.perTryTimeoutMs ?? 0
  decision.perTryTimeoutMs = decision.timeoutMs > 0 && perTryMs >= decision.timeoutMs ? 0 : perTryMs
}

/** What holds for a request that is not tried again too. */
function timesOf({ perTryTimeoutMs, perTryIdleTimeoutMs }: RetryPlan) {
  return { perTryTimeoutMs, perTryIdleTimeoutMs }
}

function timeoutOf({ timeoutMs, maxDuration, maxGrpcTimeoutMs, grpcTimeoutOffsetMs }: ForwardPlan, call: Call): number {
  if (maxDuration !== undefined) return 0
  if (maxGrpcTimeoutMs === undefined || !isGrpc(call)) return timeoutMs
  let askedMs = grpcTimeoutMs(call.head) ?? 0
  if (grpcTimeoutOffsetMs < askedMs) askedMs -= grpcTimeoutOffsetMs
  return maxGrpcTimeoutMs > 0 && (askedMs === 0 || askedMs > maxGrpcTimeoutMs) ? maxGrpcTimeoutMs : askedMs
}

/** 1 where nothing is left: the call ends at once, and 0 would be no bound. */
function maxDurationOf(
  { maxMs, grpcMaxMs, grpcOffsetMs }: NonNullable<ForwardPlan['maxDuration']>,
  call: Call,
): number {
  const askedMs = grpcMaxMs === undefined ? undefined : grpcTimeoutMs(call.head)
  if (grpcMaxMs === undefined || askedMs === undefined) return maxMs
  const boundMs = grpcMaxMs > 0 ? Math.min(askedMs, grpcMaxMs) : askedMs
  const leftMs = Math.max(0, boundMs - grpcOffsetMs)
  call.head.set('grpc-timeout', `${Math.round(leftMs)}m`)
  return Math.max(1, leftMs)
}

const GRPC_UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 }

/** gRPC over HTTP/2, "Timeout": at most 8 digits and a unit. Rounded up, so that a short one is not none. */
function grpcTimeoutMs(head: RequestHead): number | undefined {
  const found = /^(\d{1,8})([HMSmun])$/.exec(head.get('grpc-timeout') ?? '')
  return found === null ? undefined : Math.ceil(Number(found[1]) * (GRPC_UNIT_MS[found[2] as string] as number))
}

/** What the headers of an internal request say of its retries and time-outs. */
function obey(head: RequestHead, decision: Decision): void {
  const timeoutMs = take(head, 'x-envoy-upstream-rq-timeout-ms')
  const perTryMs = take(head, 'x-envoy-upstream-rq-per-try-timeout-ms')
  const on = take(head, 'x-envoy-retry-on')
  const grpcOn = take(head, 'x-envoy-retry-grpc-on')
  const attempts = wholeNumber(take(head, 'x-envoy-max-retries'))
  const statuses = take(head, 'x-envoy-retriable-status-codes')
  const names = take(head, 'x-envoy-retriable-header-names')
  const hedges = take(head, 'x-envoy-hedge-on-per-try-timeout')
  if (timeoutMs !== undefined) decision.timeoutMs = wholeNumber(timeoutMs) ?? decision.timeoutMs
  if (hedges === 'true' || hedges === 'false') decision.hedges = hedges === 'true'
  // Who asks in so many words is heard, whatever try it is.
  if (on !== undefined || grpcOn !== undefined || attempts !== undefined) decision.caller.attempt = 0
  const retry = decision.retry ?? NO_POLICY
  const asked = new Set(retry.on)
  for (const condition of listOf(on)) if (RETRY_CONDITIONS.has(condition)) asked.add(condition)
  for (const condition of listOf(grpcOn)) if (GRPC_CONDITIONS.has(condition)) asked.add(condition)
  const allStatuses = new Set(retry.statuses)
  for (const text of listOf(statuses)) {
    const status = wholeNumber(text)
    if (status !== undefined) allStatuses.add(status)
  }
  decision.retry = {
    ...retry,
    on: asked,
    statuses: allStatuses,
    headers: names === undefined ? retry.headers : [...retry.headers, ...presentHeaders(listOf(names))],
    ...looksOf(asked, allStatuses),
    attempts: asked.size > 0 ? (attempts ?? retry.attempts) : retry.attempts,
    perTryTimeoutMs: wholeNumber(perTryMs) ?? retry.perTryTimeoutMs,
  }
}

function take(head: RequestHead, name: string): string | undefined {
  const value = head.get(name)
  if (value !== undefined) head.remove(name)
  return value
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}
