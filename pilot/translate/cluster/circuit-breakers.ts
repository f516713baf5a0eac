import { create } from '@bufbuild/protobuf'
import {
  type CircuitBreakers,
  CircuitBreakers_Thresholds_RetryBudgetSchema,
  CircuitBreakers_ThresholdsSchema,
  CircuitBreakersSchema,
} from '../../../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js'
import { PercentSchema } from '../../../api/gen/envoy/type/v3/percent_pb.js'
import type { ConnectionPoolSettings, RetryBudget } from '../../../crds/kinds/destination-rule.ts'
import { UINT32_MAX } from '../../../crds/schema.ts'

const DEFAULT_BUDGET_PERCENT = 20
const DEFAULT_MIN_RETRY_CONCURRENCY = 3

/**
 * Without settings nothing is limited but retries, which have a budget (decision 16): a number of them is what the rule
 * says, and a budget comes before it. 0 means "no limit"; there is no way to say "none".
 */
export function circuitBreakers(
  pool: ConnectionPoolSettings | undefined,
  budget: RetryBudget | undefined,
): CircuitBreakers {
  const maxRetries = pool?.http?.maxRetries
  const thresholds = create(CircuitBreakers_ThresholdsSchema, {
    maxConnections: limit(pool?.tcp?.maxConnections),
    maxPendingRequests: limit(pool?.http?.http1MaxPendingRequests),
    maxRequests: limit(pool?.http?.http2MaxRequests),
    ...(maxRetries !== undefined && { maxRetries: limit(maxRetries) }),
    ...((budget !== undefined || maxRetries === undefined) && { retryBudget: retryBudget(budget) }),
    trackRemaining: true,
  })
  return create(CircuitBreakersSchema, { thresholds: [thresholds] })
}

function limit(value: number | undefined): number {
  return value === undefined || value === 0 ? UINT32_MAX : value
}

function retryBudget(budget: RetryBudget | undefined) {
  return create(CircuitBreakers_Thresholds_RetryBudgetSchema, {
    budgetPercent: create(PercentSchema, { value: budget?.percent ?? DEFAULT_BUDGET_PERCENT }),
    minRetryConcurrency: budget?.minRetryConcurrency ?? DEFAULT_MIN_RETRY_CONCURRENCY,
  })
}
