import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds as Thresholds,
} from '../../../api/gen/envoy/config/cluster/v3/circuit_breaker_pb.js'
import { RoutingPriority } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import type { CircuitBreakerPlan, RetryBudgetPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'

/** Envoy's for a budget that leaves them out. */
const DEFAULT_BUDGET: RetryBudgetPlan = { percent: 20, minConcurrency: 3 }

/** Envoy's for a cluster that sets no thresholds, but for retries: those have a budget (decision 16). */
const DEFAULT_LIMITS: CircuitBreakerPlan = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
  retryBudget: DEFAULT_BUDGET,
  maxConnectionsPerHost: Number.POSITIVE_INFINITY,
  trackRemaining: false,
}

/** envoy.config.cluster.v3.CircuitBreakers, for both priorities. Of two thresholds of one priority the first counts. */
export function compileCircuitBreakers(breakers: CircuitBreakers | undefined): {
  limits: CircuitBreakerPlan
  highLimits: CircuitBreakerPlan
} {
  return {
    limits: limitsOf(breakers, RoutingPriority.DEFAULT),
    highLimits: limitsOf(breakers, RoutingPriority.HIGH),
  }
}

function limitsOf(breakers: CircuitBreakers | undefined, priority: RoutingPriority): CircuitBreakerPlan {
  const index = breakers?.thresholds.findIndex((thresholds) => thresholds.priority === priority) ?? -1
  const thresholds = breakers?.thresholds[index]
  const maxConnectionsPerHost = perHost(breakers, priority)
  if (thresholds === undefined) return { ...DEFAULT_LIMITS, maxConnectionsPerHost }
  if (thresholds.maxConnectionPools !== undefined) {
    refuse(`circuit_breakers.thresholds[${index}].max_connection_pools`, 'not supported')
  }
  return {
    maxConnections: thresholds.maxConnections ?? DEFAULT_LIMITS.maxConnections,
    maxPendingRequests: thresholds.maxPendingRequests ?? DEFAULT_LIMITS.maxPendingRequests,
    maxRequests: thresholds.maxRequests ?? DEFAULT_LIMITS.maxRequests,
    maxRetries: thresholds.maxRetries ?? DEFAULT_LIMITS.maxRetries,
    retryBudget: budgetOf(thresholds, `circuit_breakers.thresholds[${index}].retry_budget`),
    maxConnectionsPerHost,
    trackRemaining: thresholds.trackRemaining,
  }
}

/** A budget comes before a number, as in Envoy. */
function budgetOf({ retryBudget, maxRetries }: Thresholds, path: string): RetryBudgetPlan | undefined {
  if (retryBudget === undefined) return maxRetries === undefined ? DEFAULT_BUDGET : undefined
  const percent = retryBudget.budgetPercent?.value ?? DEFAULT_BUDGET.percent
  if (!(percent >= 0 && percent <= 100)) refuse(`${path}.budget_percent`, `${percent} is not between 0 and 100`)
  return { percent, minConcurrency: retryBudget.minRetryConcurrency ?? DEFAULT_BUDGET.minConcurrency }
}

/** Envoy honours nothing else of these. */
function perHost(breakers: CircuitBreakers | undefined, priority: RoutingPriority): number {
  const thresholds = breakers?.perHostThresholds.find((one) => one.priority === priority)
  return thresholds?.maxConnections ?? Number.POSITIVE_INFINITY
}
