import type { Random } from '../../../lib/random.ts'
import { isHashing, sameBalancing } from '../../plan/balancing-plan.ts'
import type { ClusterPlan } from '../../plan/plan.ts'
import type { Balancers } from '../lb/balancer.ts'
import type { ClusterStats } from '../stats.ts'
import type { Balancing } from './host-set.ts'
import { type HostPicker, HostSets } from './host-sets.ts'
import { SubsetPicker } from './subset-picker.ts'

export function createPicker(plan: ClusterPlan, balancers: Balancers, random: Random, stats: ClusterStats): HostPicker {
  const balancing: Balancing = {
    plan,
    random,
    balancers,
    usesLocalityWeights: plan.localityWeighted,
    sharesTable: isHashing(plan.balancing),
  }
  return plan.subsets === undefined
    ? new HostSets(balancing, stats.lb_healthy_panic)
    : new SubsetPicker(plan.subsets, balancing, stats)
}

/** Whether a picker of the one plan serves the other too. */
export function picksAlike(a: ClusterPlan, b: ClusterPlan): boolean {
  return (
    sameBalancing(a.balancing, b.balancing) &&
    a.panicThresholdPercent === b.panicThresholdPercent &&
    a.failsInPanic === b.failsInPanic &&
    a.localityWeighted === b.localityWeighted &&
    JSON.stringify(a.subsets) === JSON.stringify(b.subsets)
  )
}
