import type { PortTrafficPolicy, TrafficPolicy } from '../../crds/kinds/destination-rule.ts'
import type { DestinationRule } from './destination-rule.ts'

/** What holds for one cluster. */
export type EffectivePolicy = Pick<
  TrafficPolicy,
  'loadBalancer' | 'connectionPool' | 'outlierDetection' | 'tls' | 'retryBudget'
>

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
  if (port === undefined) return { ...base, ...blocks(policy), ...budgetOf(policy) }
  return { ...blocks(port), ...budgetOf(base), ...budgetOf(policy) }
}

/** A port has none of its own. */
function budgetOf({ retryBudget }: Pick<TrafficPolicy, 'retryBudget'>): Pick<EffectivePolicy, 'retryBudget'> {
  return retryBudget === undefined ? {} : { retryBudget }
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
