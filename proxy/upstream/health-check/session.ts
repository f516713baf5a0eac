import type { Clock, Timer } from '../../../lib/clock.ts'
import type { Random } from '../../../lib/random.ts'
import type { HealthCheckPlan } from '../../plan/health-check-plan.ts'
import { HEALTH_FLAG, type HealthFlag } from '../health.ts'
import type { Host } from '../host.ts'
import { initialDelayMs, intervalMs, type Transition } from './intervals.ts'
import type { Probe, ProbeOwner, ProbeResult } from './probe.ts'
import type { HealthCheckStats } from './stats.ts'

/** Why a check failed: it could not be made, took too long, the host said so, or said so in another answer. */
export type FailureType = 'network' | 'timeout' | 'active' | 'passive'

/** What a session needs of the checker that it belongs to. */
export interface SessionOwner {
  readonly plan: HealthCheckPlan
  readonly stats: HealthCheckStats
  /** Whether the cluster was ever used. */
  readonly hasTraffic: boolean
  setFlag(host: Host, flag: HealthFlag, isSet: boolean): void
  onEvent(host: Host, event: HealthEvent): void
  /** A check is over. */
  onChecked(host: Host, isHealthy: boolean): void
}

/** envoy.data.core.v3.HealthCheckEvent. */
export type HealthEvent =
  | { readonly kind: 'add_healthy'; readonly first_check: boolean }
  | { readonly kind: 'successful_check' }
  | { readonly kind: 'eject_unhealthy'; readonly failure: FailureType }
  | { readonly kind: 'check_failure'; readonly failure: FailureType; readonly first_check: boolean }
  | { readonly kind: 'degraded' }
  | { readonly kind: 'no_longer_degraded' }

/** The checks of one host, one after another (envoy: HealthCheckerImplBase::ActiveHealthCheckSession). */
export class CheckSession implements ProbeOwner {
  readonly host: Host
  readonly #owner: SessionOwner
  readonly #clock: Clock
  readonly #random: Random
  readonly #probe: Probe
  #timer: Timer | undefined
  #isFirst = true
  #isClosed = false
  #healthyInARow = 0
  #unhealthyInARow = 0

  constructor(
    host: Host,
    owner: SessionOwner,
    clock: Clock,
    random: Random,
    createProbe: (owner: ProbeOwner) => Probe,
  ) {
    this.host = host
    this.#owner = owner
    this.#clock = clock
    this.#random = random
    this.#probe = createProbe(this)
  }

  /** `isKnown`: another thread has checked it before. */
  start(isKnown: boolean): void {
    this.#isFirst = !isKnown
    const delayMs = initialDelayMs(this.#owner.plan, this.#random)
    if (delayMs === 0) this.#ask()
    else this.#arm(delayMs, () => this.#ask())
  }

  #arm(delayMs: number, onDue: () => void): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(delayMs, onDue)
  }

  #ask(): void {
    this.#owner.stats.attempt.inc()
    this.#arm(this.#owner.plan.timeoutMs, () => {
      this.#probe.giveUp()
      this.#fail('timeout', false)
    })
    this.#probe.ask()
  }

  // === ProbeOwner ===

  onResult(result: ProbeResult): void {
    // A kept connection that closes is as bad as a check that fails.
    if (this.#isClosed) return
    if (result === 'healthy' || result === 'degraded') this.#succeed(result === 'degraded')
    else this.#fail(result === 'network' ? 'network' : 'active', result === 'retriable')
  }

  onImmediateFailure(): void {
    this.#owner.setFlag(this.host, HEALTH_FLAG.immediateFailure, true)
  }

  onNameCompared(): void {
    this.#owner.stats.verify_cluster.inc()
  }

  // === outcomes ===

  #succeed(isDegraded: boolean): void {
    const { host } = this
    const owner = this.#owner
    this.#unhealthyInARow = 0
    let transition: Transition = 'unchanged'
    if (this.#has(HEALTH_FLAG.failedActiveCheck)) {
      this.#healthyInARow++
      if (this.#isFirst || this.#healthyInARow === owner.plan.healthyThreshold) {
        owner.setFlag(host, HEALTH_FLAG.failedActiveCheck, false)
        transition = 'changed'
        owner.onEvent(host, { kind: 'add_healthy', first_check: this.#isFirst })
      } else transition = 'pending'
    }
    if (!this.#has(HEALTH_FLAG.failedActiveCheck)) {
      owner.setFlag(host, HEALTH_FLAG.immediateFailure, false)
      owner.setFlag(host, HEALTH_FLAG.activeCheckTimeout, false)
    }
    if (transition !== 'changed' && owner.plan.alwaysLogsSuccesses) owner.onEvent(host, { kind: 'successful_check' })
    if (isDegraded !== this.#has(HEALTH_FLAG.degradedActiveCheck)) {
      owner.setFlag(host, HEALTH_FLAG.degradedActiveCheck, isDegraded)
      owner.onEvent(host, { kind: isDegraded ? 'degraded' : 'no_longer_degraded' })
      if (transition === 'unchanged') transition = 'changed'
    }
    owner.stats.success.inc()
    this.#isFirst = false
    owner.onChecked(host, true)
    this.#next(true, transition)
  }

  #fail(type: FailureType, isRetriable: boolean): void {
    const transition = this.setUnhealthy(type, isRetriable)
    // A host that was kept only while it was well has gone.
    if (!this.#isClosed) this.#next(false, transition)
  }

  /** Also of a failure that no check has found. */
  setUnhealthy(type: FailureType, isRetriable: boolean): Transition {
    const { host } = this
    const owner = this.#owner
    const isFirst = this.#isFirst
    const isNetwork = type === 'network' || type === 'timeout'
    this.#isFirst = false
    this.#healthyInARow = 0
    owner.stats.failure.inc()
    if (isNetwork) owner.stats.network_failure.inc()
    else if (type === 'passive') owner.stats.passive_failure.inc()
    if (type === 'timeout') owner.setFlag(host, HEALTH_FLAG.activeCheckTimeout, true)
    let transition: Transition = 'unchanged'
    if (!this.#has(HEALTH_FLAG.failedActiveCheck)) {
      this.#unhealthyInARow++
      const isAtOnce = !isNetwork && !isRetriable
      transition = isAtOnce || this.#unhealthyInARow === owner.plan.unhealthyThreshold ? 'changed' : 'pending'
    }
    if (transition === 'changed') {
      owner.onEvent(host, { kind: 'eject_unhealthy', failure: type })
      owner.setFlag(host, HEALTH_FLAG.failedActiveCheck, true)
    }
    if (isFirst || owner.plan.alwaysLogsFailures) {
      owner.onEvent(host, { kind: 'check_failure', failure: type, first_check: isFirst })
    }
    owner.onChecked(host, false)
    return transition
  }

  #has(flag: HealthFlag): boolean {
    return (this.host.healthFlags & flag) !== 0
  }

  #next(isHealthy: boolean, transition: Transition): void {
    const { plan, hasTraffic } = this.#owner
    this.#arm(intervalMs(plan, this.#random, hasTraffic, isHealthy, transition), () => this.#ask())
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#probe.close()
  }
}
