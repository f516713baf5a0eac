import type { LocalityLoadBalancerSetting } from '../../crds/kinds/destination-rule.ts'
import type { DestinationRule } from './destination-rule.ts'
import type { MeshOptions } from './options.ts'
import type { EffectivePolicy } from './traffic-policy.ts'

/** What a caller's place has to do with how it calls one cluster. */
export interface LocalityPolicy {
  /** Localities have weights. */
  readonly isWeighted: boolean
  /** Whether endpoints are sorted for each caller, and by what. */
  readonly setting: LocalityLoadBalancerSetting | undefined
}

const NO_POLICY: LocalityPolicy = { isWeighted: false, setting: undefined }

/**
 * The rule's setting takes the place of the mesh's as a whole. Failing over needs outlier detection: without it no proxy would
 * ever find that those near to it have failed (Istio's GetLocalityLbSetting and ApplyLocalityLoadBalancer).
 */
export function localityPolicy(
  { loadBalancer, outlierDetection }: EffectivePolicy,
  { localityLbSetting: ofMesh }: MeshOptions,
): LocalityPolicy {
  const own = loadBalancer?.localityLbSetting
  if (own?.enabled === false) return NO_POLICY
  const setting = own ?? (ofMesh.enabled === true ? ofMesh : undefined)
  if (setting === undefined) return NO_POLICY
  const isSorted = isDistributed(setting) || outlierDetection !== undefined
  return { isWeighted: true, setting: isSorted ? setting : undefined }
}

export function isDistributed({ distribute = [] }: LocalityLoadBalancerSetting): boolean {
  return distribute.length > 0
}

/** What of a caller some rule may ask for, so that alike callers can share what they get. */
export interface LocalityNeeds {
  readonly locality: boolean
  readonly labelKeys: readonly string[]
}

export function localityNeeds(rules: readonly DestinationRule[], ofMesh: LocalityLoadBalancerSetting): LocalityNeeds {
  const policies = rules.flatMap(({ trafficPolicy, subsets }) =>
    [trafficPolicy, ...subsets.map(({ subset }) => subset.trafficPolicy)].flatMap((policy) =>
      policy === undefined ? [] : [policy, ...(policy.portLevelSettings ?? [])],
    ),
  )
  const settings = policies.flatMap(({ loadBalancer }) => loadBalancer?.localityLbSetting ?? [])
  const keys = [...settings, ofMesh].flatMap(({ failoverPriority = [] }) => failoverPriority.map(labelKeyOf))
  return {
    locality:
      isDistributed(ofMesh) || settings.length > 0 || policies.some((policy) => policy.outlierDetection !== undefined),
    labelKeys: [...new Set(keys)].sort(),
  }
}

/** Of `key` or `key=value`. */
export function labelKeyOf(text: string): string {
  return text.split('=', 1)[0] as string
}
