import type { Random } from '../../../lib/random.ts'
import type { ClusterPlan } from '../../plan/plan.ts'
import type { ClusterStats } from '../stats.ts'
import type { Balancing } from './host-set.ts'
import { type HostPicker, HostSets } from './host-sets.ts'
import { SubsetPicker } from './subset-picker.ts'

/** Balancers that find a host by a hash in one table of all hosts that may be chosen. */
const BY_HASH: ReadonlySet<string> = new Set(['ring_hash', 'maglev'])

export function createPicker(plan: ClusterPlan, random: Random, stats: ClusterStats): HostPicker {
  const balancing: Balancing = {
    plan,
    random,
    usesLocalityWeights: plan.localityWeighted,
    sharesTable: BY_HASH.has(plan.balancing),
  }
  return plan.subsets === undefined
    ? new HostSets(balancing, stats.lb_healthy_panic)
    : new SubsetPicker(plan.subsets, balancing, stats)
}

/** Whether a picker of the one plan serves the other too, as far as the sets of hosts go. */
export function picksAlike(a: ClusterPlan, b: ClusterPlan): boolean {
  return (
    a.panicThresholdPercent === b.panicThresholdPercent &&
    a.failsInPanic === b.failsInPanic &&
    a.localityWeighted === b.localityWeighted &&
    JSON.stringify(a.subsets) === JSON.stringify(b.subsets)
  )
}
