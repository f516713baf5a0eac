import type { Random } from '../../lib/random.ts'
import type { RetryPlan } from '../plan/plan.ts'
import type { CircuitBreaker, RetryGrant } from '../upstream/circuit-breaker.ts'
import type { Host } from '../upstream/host.ts'
import { PreviousPriorities } from '../upstream/host-sets/retry-priority.ts'
import { isIdempotent } from './retry-policy.ts'
import type { UpstreamTry } from './upstream-try.ts'

/** Tries on a reused connection that broke before any answer do not count as retries; this bounds them. */
const MAX_SILENT_RESENDS = 1
/** The same for what a peer did not begin: it goes away, or has opened less room than it said. */
const MAX_REFUSED_RESENDS = 3
/** Of the requests that succeed, where the cluster has no budget of its own. */
const RESENDS_PERCENT = 20

/** The tries of one request that failed: where they were, and what the next one costs. Most requests need none. */
export class RetryState {
  readonly #random: Random
  #resends = 0
  #backoffMs = 0
  #triedHosts: Host[] | undefined
  /** Where retries turn to; undefined for any request. */
  priority: PreviousPriorities | undefined
  /** The breaker in which a retry of ours is counted. */
  #heldBy: CircuitBreaker | undefined
  #grant: RetryGrant | undefined
  #wasUnsent = false
  /** Tries that took longer than they may and are waited for all the same, beside the one that was made in their place. */
  readonly rivals: UpstreamTry[] = []

  constructor(random: Random) {
    this.#random = random
  }

  reset(): void {
    this.#resends = 0
    this.#backoffMs = 0
    this.#triedHosts = undefined
    this.priority = undefined
    this.#grant = undefined
    this.rivals.length = 0
  }

  /** Hosts that were tried and failed. */
  get triedHosts(): readonly Host[] | undefined {
    return this.#triedHosts
  }

  noteTriedHost({ host }: UpstreamTry, { priorityUpdateFrequency }: RetryPlan): void {
    this.#triedHosts ??= []
    this.#triedHosts.push(host)
    if (priorityUpdateFrequency === 0) return
    this.priority ??= new PreviousPriorities(priorityUpdateFrequency)
    this.priority.onTried(host)
  }

  /**
   * Whether a try that brought nothing is made again without being counted: the peer closed an idle connection just as we
   * used it, so what is safe to repeat is repeated, as long as the cluster's requests succeed otherwise.
   */
  takesSilently(
    { stream, method }: UpstreamTry,
    failure: 'refused' | 'reset',
    bodyIsKept: boolean,
    { window, limits }: CircuitBreaker,
  ): boolean {
    const isUntouched = stream?.isReused === true && !stream.hasReceived
    if (!bodyIsKept || !this.#mayResend(failure, isUntouched, method)) return false
    if (!window.allows(limits.retryBudget?.percent ?? RESENDS_PERCENT)) return false
    window.spend()
    this.#resends++
    return true
  }

  #mayResend(failure: 'refused' | 'reset', isUntouched: boolean, method: string): boolean {
    // Refused is said of what was not begun: whatever the method, it may be sent again.
    if (failure === 'refused') return this.#resends < MAX_REFUSED_RESENDS
    return this.#resends < MAX_SILENT_RESENDS && isUntouched && isIdempotent(method)
  }

  /** False when the cluster's breaker lets no more retries be under way. `wasUnsent`: nothing of the failed try has left. */
  reserve(breaker: CircuitBreaker, wasUnsent: boolean): boolean {
    this.release()
    this.#grant = breaker.reserveRetry(wasUnsent)
    if (this.#grant === undefined) return false
    this.#heldBy = breaker
    this.#wasUnsent = wasUnsent
    return true
  }

  /** How long to wait before the next try: drawn from an interval that doubles. */
  nextDelayMs({ backoffBaseMs, backoffMaxMs }: RetryPlan): number {
    this.#backoffMs = this.#backoffMs === 0 ? backoffBaseMs : Math.min(this.#backoffMs * 2, backoffMaxMs)
    return Math.floor(this.#random.next() * this.#backoffMs)
  }

  /** The same when the answer has said how long to stay away: from then on, and up to half as long again. */
  rateLimitedDelayMs(intervalMs: number): number {
    return intervalMs + Math.floor(this.#random.next() * Math.floor(intervalMs / 2))
  }

  /** The last try has brought a good answer. In the place of one that was never sent it has cost nobody more than that one would. */
  succeed(): void {
    if (this.#heldBy !== undefined && this.#wasUnsent && this.#grant !== undefined) {
      this.#heldBy.window.refund(this.#grant.second)
    }
    this.#grant = undefined
  }

  /**
   * An answer has come, or none is waited for. The breaker counts retries that wait for one: what follows it, a tunnel
   * perhaps, may take long.
   */
  release(): void {
    const breaker = this.#heldBy
    if (breaker === undefined) return
    this.#heldBy = undefined
    breaker.releaseRetry()
  }
}
