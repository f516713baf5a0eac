import type { MetricStore } from '../../lib/metrics/store.ts'
import type { CircuitBreakerPlan } from '../plan/plan.ts'
import { type BreakerCounts, COUNT, type CountKind, KINDS } from './breaker-counts.ts'
import { type BreakerStats, breakerStats } from './breaker-stats.ts'
import type { Host } from './host.ts'
import { type CoarseTime, RetryWindow } from './retry-window.ts'
import type { ClusterStats } from './stats.ts'

/** Priorities of routes (envoy.config.core.v3.RoutingPriority), each with circuit breakers of its own. */
export const PRIORITY = { default: 0, high: 1 } as const
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]

/** The retry of one request that is under way; `second` is when it was spent. */
export interface RetryGrant {
  readonly second: number
}

/**
 * The circuit breakers of one cluster for requests of one priority (envoy.config.cluster.v3.CircuitBreakers): what they count
 * is counted over all threads, what they let pass is bounded by the plan.
 */
export class CircuitBreaker {
  limits: CircuitBreakerPlan
  /** What retries cost, and may cost. */
  readonly window: RetryWindow
  readonly #counts: BreakerCounts
  readonly #first: number
  readonly #stats: ClusterStats
  readonly #gauges: BreakerStats

  constructor(
    limits: CircuitBreakerPlan,
    priority: Priority,
    counts: BreakerCounts,
    stats: ClusterStats,
    time: CoarseTime,
    threads: number,
    metrics: MetricStore,
    cluster: string,
  ) {
    this.limits = limits
    this.window = new RetryWindow(time, threads)
    this.#counts = counts
    this.#first = priority * KINDS
    this.#stats = stats
    this.#gauges = breakerStats(metrics, cluster, priority === PRIORITY.high ? 'high' : 'default')
  }

  /** What is counted, over all threads. */
  total(kind: CountKind): number {
    return this.#counts.total(this.#first + kind)
  }

  #count(kind: CountKind, by: 1 | -1): void {
    this.#counts.add(this.#first + kind, by)
    this.#gauges.show(kind, this.total(kind), this.#limitOf(kind), this.limits.trackRemaining)
  }

  #limitOf(kind: CountKind): number {
    switch (kind) {
      case COUNT.connections:
        return this.limits.maxConnections
      case COUNT.pending:
        return this.limits.maxPendingRequests
      case COUNT.requests:
        return this.limits.maxRequests
      default:
        return this.#maxRetries
    }
  }

  /** Envoy's: with a budget, a share of what is under way now. */
  get #maxRetries(): number {
    const { retryBudget, maxRetries } = this.limits
    if (retryBudget === undefined) return maxRetries
    const active = this.total(COUNT.requests) + this.total(COUNT.pending)
    return Math.max(Math.floor((retryBudget.percent * active) / 100), retryBudget.minConcurrency)
  }

  /** `host`: the one that the connection would be to. */
  hasRoomForConnection(host?: Host): boolean {
    if (host !== undefined && host.connectionCount >= this.limits.maxConnectionsPerHost) return false
    return this.total(COUNT.connections) < this.limits.maxConnections
  }

  countConnection(by: 1 | -1): void {
    this.#count(COUNT.connections, by)
    this.#stats.upstream_cx_active.add(by)
  }

  reservePending(): boolean {
    if (this.total(COUNT.pending) >= this.limits.maxPendingRequests) {
      this.#stats.upstream_rq_pending_overflow.inc()
      return false
    }
    this.#count(COUNT.pending, 1)
    this.#stats.upstream_rq_pending_total.inc()
    this.#stats.upstream_rq_pending_active.inc()
    return true
  }

  releasePending(): void {
    this.#count(COUNT.pending, -1)
    this.#stats.upstream_rq_pending_active.dec()
  }

  reserveRequest(host: Host): boolean {
    if (this.total(COUNT.requests) >= this.limits.maxRequests) {
      this.#stats.upstream_rq_pending_overflow.inc()
      return false
    }
    this.countRequest(host)
    return true
  }

  /** Counts one that the limit of requests is not asked for. */
  countRequest(host: Host): void {
    this.#count(COUNT.requests, 1)
    host.countActive(1)
    host.totalRequests++
    this.#stats.upstream_rq_total.inc()
    this.#stats.upstream_rq_active.inc()
  }

  releaseRequest(host: Host): void {
    this.#count(COUNT.requests, -1)
    host.countActive(-1)
    this.#stats.upstream_rq_active.dec()
  }

  /**
   * Lets a retry be under way, or undefined. Who gets one gives it back. `wasUnsent`: it takes the place of a try of which nothing has
   * left, so that no more are under way than if all were well: a budget bounds these by time only.
   */
  reserveRetry(wasUnsent: boolean): RetryGrant | undefined {
    const { retryBudget } = this.limits
    const isWithin = retryBudget === undefined || this.window.allows(retryBudget.percent)
    const isBounded = retryBudget === undefined || !wasUnsent
    if (!isWithin || (isBounded && this.total(COUNT.retries) >= this.#maxRetries)) {
      this.#stats.upstream_rq_retry_overflow.inc()
      return undefined
    }
    this.#count(COUNT.retries, 1)
    this.#stats.upstream_rq_retry_active.inc()
    return { second: this.window.spend() }
  }

  releaseRetry(): void {
    this.#count(COUNT.retries, -1)
    this.#stats.upstream_rq_retry_active.dec()
  }
}
