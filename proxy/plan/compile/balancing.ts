import {
  type Cluster,
  Cluster_RingHashLbConfig_HashFunction as HashFunction,
  Cluster_LbPolicy as LbPolicy,
  type Cluster_LeastRequestLbConfig as LeastRequestLbConfig,
  type Cluster_SlowStartConfig as SlowStartConfig,
} from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import { PEAK_EWMA_DECAY_KEY, PROXY_METADATA_KEY } from '../../../api/proxy-metadata.ts'
import type { BalancingPlan, HashingPlan, SlowStartPlan } from '../balancing-plan.ts'
import { refuse } from '../plan-error.ts'
import { durationMs } from './common.ts'

const DEFAULT_CHOICES = 2
const DEFAULT_MIN_RING = 1024
const MAX_RING = 8 * 1024 * 1024
const DEFAULT_TABLE = 65537
/** Envoy's bound. */
const MAX_TABLE = 5_000_011
const DEFAULT_MIN_WEIGHT_PERCENT = 10

/** How a cluster's hosts are chosen among. Throws a PlanError that names the field. */
export function compileBalancing(cluster: Cluster): BalancingPlan {
  if (cluster.loadBalancingPolicy !== undefined) refuse('load_balancing_policy', 'use lb_policy')
  const { lbConfig: config } = cluster
  switch (cluster.lbPolicy) {
    case LbPolicy.ROUND_ROBIN: {
      const slowStart = config.case === 'roundRobinLbConfig' ? config.value.slowStartConfig : undefined
      return { kind: 'round_robin', slowStart: compileSlowStart(slowStart, 'round_robin_lb_config.slow_start_config') }
    }
    case LbPolicy.LEAST_REQUEST:
      return peakEwmaOf(cluster) ?? leastRequest(config.case === 'leastRequestLbConfig' ? config.value : undefined)
    case LbPolicy.RANDOM:
      return { kind: 'random' }
    case LbPolicy.RING_HASH:
      return ringHash(cluster)
    case LbPolicy.MAGLEV: {
      const size = Number((config.case === 'maglevLbConfig' ? config.value.tableSize : undefined) ?? DEFAULT_TABLE)
      if (size > MAX_TABLE || !isPrime(size)) {
        refuse('maglev_lb_config.table_size', `${size} is no prime up to ${MAX_TABLE}`)
      }
      return { kind: 'maglev', tableSize: size, ...hashing(cluster) }
    }
    case LbPolicy.CLUSTER_PROVIDED:
      return { kind: 'cluster_provided' }
    default:
      return refuse('lb_policy', `${LbPolicy[cluster.lbPolicy] ?? cluster.lbPolicy} is not supported`)
  }
}

function leastRequest(config: LeastRequestLbConfig | undefined): BalancingPlan {
  const choices = config?.choiceCount ?? DEFAULT_CHOICES
  if (choices < 2) refuse('least_request_lb_config.choice_count', 'must be at least 2')
  const bias = config?.activeRequestBias?.defaultValue ?? 1
  if (!(bias >= 0)) refuse('least_request_lb_config.active_request_bias', 'must not be negative')
  return {
    kind: 'least_request',
    choices,
    activeRequestBias: bias,
    slowStart: compileSlowStart(config?.slowStartConfig, 'least_request_lb_config.slow_start_config'),
  }
}

function ringHash(cluster: Cluster): BalancingPlan {
  const config = cluster.lbConfig.case === 'ringHashLbConfig' ? cluster.lbConfig.value : undefined
  if (config?.hashFunction === HashFunction.MURMUR_HASH_2) {
    refuse('ring_hash_lb_config.hash_function', 'MURMUR_HASH_2 is not supported, use XX_HASH')
  }
  const minSize = Number(config?.minimumRingSize ?? DEFAULT_MIN_RING)
  const maxSize = Number(config?.maximumRingSize ?? MAX_RING)
  for (const [size, name] of [
    [minSize, 'minimum_ring_size'],
    [maxSize, 'maximum_ring_size'],
  ] as const) {
    if (size > MAX_RING) refuse(`ring_hash_lb_config.${name}`, `at most ${MAX_RING}`)
  }
  if (maxSize < 1) refuse('ring_hash_lb_config.maximum_ring_size', 'must be at least 1')
  if (minSize > maxSize) refuse('ring_hash_lb_config.minimum_ring_size', `is more than the maximum ${maxSize}`)
  return { kind: 'ring_hash', minSize, maxSize, ...hashing(cluster) }
}

function hashing({ commonLbConfig }: Cluster): HashingPlan {
  const { useHostnameForHashing = false, hashBalanceFactor = 0 } = commonLbConfig?.consistentHashingLbConfig ?? {}
  if (hashBalanceFactor !== 0 && hashBalanceFactor < 100) {
    refuse('common_lb_config.consistent_hashing_lb_config.hash_balance_factor', 'must be at least 100')
  }
  return { usesHostname: useHostnameForHashing, balanceFactor: hashBalanceFactor }
}

function compileSlowStart(config: SlowStartConfig | undefined, path: string): SlowStartPlan | undefined {
  const windowMs = durationMs(config?.slowStartWindow, 0)
  if (config === undefined || windowMs === 0) return undefined
  const aggression = config.aggression?.defaultValue ?? 1
  if (!(aggression > 0)) refuse(`${path}.aggression`, 'must be more than 0')
  const percent = config.minWeightPercent?.value ?? DEFAULT_MIN_WEIGHT_PERCENT
  return { windowMs, aggression, minShare: percent / 100 }
}

/** What the pilot says to us alone: for others the cluster is one of least request. */
function peakEwmaOf({ metadata }: Cluster): BalancingPlan | undefined {
  const decayMs = metadata?.filterMetadata[PROXY_METADATA_KEY]?.[PEAK_EWMA_DECAY_KEY]
  if (decayMs === undefined) return undefined
  const path = `metadata.filter_metadata["${PROXY_METADATA_KEY}"].${PEAK_EWMA_DECAY_KEY}`
  if (typeof decayMs !== 'number' || !(decayMs > 0)) return refuse(path, 'must be a number of milliseconds above 0')
  return { kind: 'peak_ewma', decayMs }
}

function isPrime(n: number): boolean {
  if (n < 2) return false
  for (let i = 2; i * i <= n; i++) if (n % i === 0) return false
  return true
}
