import type { Random } from '../../lib/random.ts'
import type { RetryPlan } from '../plan/plan.ts'
import type { Cluster } from '../upstream/cluster.ts'
import type { Host } from '../upstream/host.ts'
import { isIdempotent } from './retry-policy.ts'
import type { UpstreamTry } from './upstream-try.ts'

/** Tries on a reused connection that broke before any answer do not count as retries; this bounds them. */
const MAX_SILENT_RESENDS = 1
/** The same for what a peer did not begin: it goes away, or has opened less room than it said. */
const MAX_REFUSED_RESENDS = 3

/** The tries of one request that failed: where they were, and whether another may be made. Most requests need none. */
export class RetryState {
  readonly #random: Random
  #resends = 0
  #backoffMs = 0
  #triedHosts: Host[] | undefined
  /** The cluster in whose breaker a retry of ours is counted. */
  #heldBy: Cluster | undefined

  constructor(random: Random) {
    this.#random = random
  }

  reset(): void {
    this.#resends = 0
    this.#backoffMs = 0
    this.#triedHosts = undefined
  }

  /** Hosts that were tried and failed. */
  get triedHosts(): readonly Host[] | undefined {
    return this.#triedHosts
  }

  noteTriedHost({ host }: UpstreamTry): void {
    this.#triedHosts ??= []
    this.#triedHosts.push(host)
  }

  /**
   * Whether a try that brought nothing is made again without being counted: the peer closed an idle connection just as we
   * used it, so what is safe to repeat is repeated.
   */
  takesSilently({ stream, method }: UpstreamTry, failure: 'refused' | 'reset', bodyIsKept: boolean): boolean {
    if (!bodyIsKept || !this.#mayResend(failure, stream?.isReused === true && !stream.hasReceived, method)) return false
    this.#resends++
    return true
  }

  #mayResend(failure: 'refused' | 'reset', isUntouched: boolean, method: string): boolean {
    // Refused is said of what was not begun: whatever the method, it may be sent again.
    if (failure === 'refused') return this.#resends < MAX_REFUSED_RESENDS
    return this.#resends < MAX_SILENT_RESENDS && isUntouched && isIdempotent(method)
  }

  /** `tries` were made, the last one included. `limit`: all tries were made. `overflow`: the cluster's breaker lets no more retries be under way. */
  reserve(retry: RetryPlan, cluster: Cluster, tries: number): 'granted' | 'limit' | 'overflow' {
    if (tries > retry.attempts) {
      cluster.stats.upstream_rq_retry_limit_exceeded.inc()
      return 'limit'
    }
    if (this.#heldBy === undefined) {
      if (!cluster.reserveRetry()) return 'overflow'
      this.#heldBy = cluster
    }
    return 'granted'
  }

  /** How long to wait before the next try: drawn from an interval that doubles. */
  nextDelayMs({ backoffBaseMs, backoffMaxMs }: RetryPlan): number {
    this.#backoffMs = this.#backoffMs === 0 ? backoffBaseMs : Math.min(this.#backoffMs * 2, backoffMaxMs)
    return Math.floor(this.#random.next() * this.#backoffMs)
  }

  /**
   * An answer has come, or none is waited for. The breaker counts retries that wait for one: what follows it, a tunnel
   * perhaps, may take long.
   */
  release(succeeded = false): void {
    const cluster = this.#heldBy
    if (cluster === undefined) return
    this.#heldBy = undefined
    if (succeeded) cluster.stats.upstream_rq_retry_success.inc()
    cluster.releaseRetry()
  }
}
