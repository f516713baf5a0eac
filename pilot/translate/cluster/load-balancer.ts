import { create } from '@bufbuild/protobuf'
import {
  type Cluster,
  Cluster_LbPolicy,
  Cluster_LeastRequestLbConfigSchema,
  Cluster_MaglevLbConfigSchema,
  Cluster_RingHashLbConfigSchema,
  Cluster_RoundRobinLbConfigSchema,
  Cluster_SlowStartConfigSchema,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { RuntimeDoubleSchema } from '../../../api/gen/envoy/config/core/v3/base_pb.js'
import { PercentSchema } from '../../../api/gen/envoy/type/v3/percent_pb.js'
import type { ConsistentHashLB, LoadBalancerSettings } from '../../../crds/kinds/destination-rule.ts'
import { durationOf } from '../messages.ts'

type Balancing = Pick<Cluster, 'lbPolicy' | 'lbConfig'>

/** Of Envoy, and of Istio. */
const DEFAULT_MIN_RING = 1024

/** How a cluster chooses among its hosts. PASSTHROUGH does not: the call goes to the address that the client chose. */
export function balancing(settings: LoadBalancerSettings | undefined): Balancing {
  if (settings?.consistentHash !== undefined) return hashing(settings.consistentHash)
  switch (settings?.simple) {
    case 'ROUND_ROBIN': {
      const slowStartConfig = slowStart(settings)
      return {
        lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
        lbConfig:
          slowStartConfig === undefined
            ? { case: undefined }
            : { case: 'roundRobinLbConfig', value: create(Cluster_RoundRobinLbConfigSchema, { slowStartConfig }) },
      }
    }
    case 'RANDOM':
      return { lbPolicy: Cluster_LbPolicy.RANDOM, lbConfig: { case: undefined } }
    case 'PASSTHROUGH':
      return { lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED, lbConfig: { case: undefined } }
    default: {
      const slowStartConfig = slowStart(settings)
      return {
        lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
        lbConfig:
          slowStartConfig === undefined
            ? { case: undefined }
            : { case: 'leastRequestLbConfig', value: create(Cluster_LeastRequestLbConfigSchema, { slowStartConfig }) },
      }
    }
  }
}

/** Whether a rule leaves the choice to least request, which Peak EWMA takes the place of. */
export function isLeastRequest(settings: LoadBalancerSettings | undefined): boolean {
  return balancing(settings).lbPolicy === Cluster_LbPolicy.LEAST_REQUEST
}

/** Istio's ApplyRingHashLoadBalancer. */
function hashing({ maglev, ringHash, minimumRingSize }: ConsistentHashLB): Balancing {
  if (maglev !== undefined) {
    const { tableSize } = maglev
    return {
      lbPolicy: Cluster_LbPolicy.MAGLEV,
      lbConfig:
        tableSize === undefined || tableSize === 0
          ? { case: undefined }
          : { case: 'maglevLbConfig', value: create(Cluster_MaglevLbConfigSchema, { tableSize: BigInt(tableSize) }) },
    }
  }
  const size = ringHash === undefined ? minimumRingSize || DEFAULT_MIN_RING : ringHash.minimumRingSize
  const config = create(Cluster_RingHashLbConfigSchema, size === undefined ? {} : { minimumRingSize: BigInt(size) })
  return { lbPolicy: Cluster_LbPolicy.RING_HASH, lbConfig: { case: 'ringHashLbConfig', value: config } }
}

function slowStart(settings: LoadBalancerSettings | undefined) {
  const { warmup, warmupDurationSecs } = settings ?? {}
  const window = durationOf(warmup?.duration ?? warmupDurationSecs)
  if (window === undefined) return undefined
  const { aggression, minimumPercent } = warmup ?? {}
  return create(Cluster_SlowStartConfigSchema, {
    slowStartWindow: window,
    ...(aggression !== undefined && {
      // Envoy wants a name by which its runtime could change the value.
      aggression: create(RuntimeDoubleSchema, { defaultValue: aggression, runtimeKey: 'lateen.slow_start.aggression' }),
    }),
    ...(minimumPercent !== undefined && { minWeightPercent: create(PercentSchema, { value: minimumPercent }) }),
  })
}
