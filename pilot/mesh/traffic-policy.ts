import type { PortTrafficPolicy, TrafficPolicy } from '../../crds/kinds/destination-rule.ts'
import type { DestinationRule } from './destination-rule.ts'

/** What holds for one cluster. */
export type EffectivePolicy = Pick<TrafficPolicy, 'loadBalancer' | 'connectionPool' | 'outlierDetection' | 'tls'>

/**
 * The policy of one port of one subset: the rule's, whose settings of the port replace it wholly, then the subset's,
 * each block of which replaces the whole block (Istio's MergeSubsetTrafficPolicy).
 */
export function effectivePolicy(
  rule: DestinationRule | undefined,
  subsetName: string,
  portNumber: number,
): EffectivePolicy {
  const base = withPort(rule?.trafficPolicy, {}, portNumber)
  const subset = rule?.subsets.find((entry) => entry.subset.name === subsetName)?.subset.trafficPolicy
  return withPort(subset, base, portNumber)
}

function withPort(policy: TrafficPolicy | undefined, base: EffectivePolicy, portNumber: number): EffectivePolicy {
  if (policy === undefined) return base
  const port = policy.portLevelSettings?.find((settings) => settings.port?.number === portNumber)
  // What a port's settings leave out goes back to the defaults, not to the level above.
  return port === undefined ? { ...base, ...blocks(policy) } : blocks(port)
}

/** Only the blocks that are there, so that spreading them does not erase others. */
function blocks(policy: TrafficPolicy | PortTrafficPolicy): EffectivePolicy {
  const { loadBalancer, connectionPool, outlierDetection, tls } = policy
  return {
    ...(loadBalancer && { loadBalancer }),
    ...(connectionPool && { connectionPool }),
    ...(outlierDetection && { outlierDetection }),
    ...(tls && { tls }),
  }
}
