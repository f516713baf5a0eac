import type { Cluster } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { ClusterPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { compileSubsets } from './subsets.ts'

const DEFAULT_PANIC_THRESHOLD_PERCENT = 50

type HostSetsPlan = Pick<ClusterPlan, 'panicThresholdPercent' | 'failsInPanic' | 'localityWeighted' | 'subsets'>

/** Which of a cluster's hosts are balanced over: envoy.config.cluster.v3.Cluster.CommonLbConfig and LbSubsetConfig. */
export function compileHostSets({ commonLbConfig, lbSubsetConfig }: Cluster): HostSetsPlan {
  const threshold = commonLbConfig?.healthyPanicThreshold?.value ?? DEFAULT_PANIC_THRESHOLD_PERCENT
  if (!(threshold >= 0 && threshold <= 100)) refuse('common_lb_config.healthy_panic_threshold', 'must be 0 to 100')
  const specifier = commonLbConfig?.localityConfigSpecifier
  return {
    // Envoy takes whole numbers too.
    panicThresholdPercent: Math.round(threshold),
    // Zones are preferred only where the bootstrap says which cluster the proxy belongs to, which is not supported.
    failsInPanic: specifier?.case === 'zoneAwareLbConfig' && specifier.value.failTrafficOnPanic,
    localityWeighted: specifier?.case === 'localityWeightedLbConfig',
    subsets: compileSubsets(lbSubsetConfig),
  }
}
