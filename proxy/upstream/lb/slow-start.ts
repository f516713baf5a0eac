import type { Clock } from '../../../lib/clock.ts'
import type { SlowStartPlan } from '../../plan/balancing-plan.ts'
import type { Host } from '../host.ts'

/** Envoy counts a host's first instant as this. */
const LEAST_AGE_MS = 1

/**
 * A host that has just come, or has just become healthy, takes a part of its weight that grows over the window:
 * max(minShare, (age / window) ^ (1 / aggression)) (envoy's EdfLoadBalancerBase::applySlowStartFactor).
 */
export class SlowStart {
  readonly #plan: SlowStartPlan
  readonly #clock: Clock
  #latestMs = Number.NEGATIVE_INFINITY

  constructor(plan: SlowStartPlan, clock: Clock) {
    this.#plan = plan
    this.#clock = clock
  }

  /** Whoever is healthy and was not so before begins now. */
  noteHosts(hosts: readonly Host[]): void {
    const nowMs = this.#clock.nowMs()
    for (const host of hosts) {
      if (host.health !== 'healthy') continue
      host.healthySinceMs ??= nowMs
      if (nowMs - host.healthySinceMs < this.#plan.windowMs) {
        this.#latestMs = Math.max(this.#latestMs, host.healthySinceMs)
      }
    }
  }

  get isUnderWay(): boolean {
    return this.#clock.nowMs() - this.#latestMs <= this.#plan.windowMs
  }

  /** The part of its weight that the host takes now. */
  shareOf(host: Host): number {
    const { windowMs, aggression, minShare } = this.#plan
    const { healthySinceMs } = host
    if (healthySinceMs === undefined) return 1
    const ageMs = this.#clock.nowMs() - healthySinceMs
    if (ageMs >= windowMs) return 1
    const part = Math.max(LEAST_AGE_MS, ageMs) / windowMs
    return Math.max(minShare, aggression === 1 ? part : part ** (1 / aggression))
  }
}
