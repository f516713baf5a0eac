import { type Random, randomInt } from '../../../lib/random.ts'
import type { HealthCheckPlan } from '../../plan/health-check-plan.ts'

/** What a check has changed: nothing, the host's health, or it is on the way to. */
export type Transition = 'unchanged' | 'changed' | 'pending'

/** How long until the next check of a host (envoy: HealthCheckerImplBase::interval). */
export function intervalMs(
  plan: HealthCheckPlan,
  random: Random,
  hasTraffic: boolean,
  isHealthy: boolean,
  transition: Transition,
): number {
  return jittered(baseMs(plan, hasTraffic, isHealthy, transition === 'pending'), plan, random, plan.intervalJitterMs)
}

/** How long until the first. */
export function initialDelayMs(plan: HealthCheckPlan, random: Random): number {
  return plan.initialJitterMs === 0 ? 0 : jittered(0, plan, random, plan.initialJitterMs)
}

function baseMs(plan: HealthCheckPlan, hasTraffic: boolean, isHealthy: boolean, isPending: boolean): number {
  if (!hasTraffic) return isHealthy && !isPending ? plan.noTrafficHealthyIntervalMs : plan.noTrafficIntervalMs
  if (isHealthy) return isPending ? plan.healthyEdgeIntervalMs : plan.intervalMs
  return isPending ? plan.unhealthyEdgeIntervalMs : plan.unhealthyIntervalMs
}

function jittered(base: number, plan: HealthCheckPlan, random: Random, jitterMs: number): number {
  const byPercent = Math.floor((plan.intervalJitterPercent * base) / 100)
  const more = (bound: number) => (bound > 0 ? randomInt(random, bound) : 0)
  return Math.max(1, base + more(byPercent) + more(jitterMs))
}
