import { isDeepStrictEqual } from 'node:util'
import type { ClusterPlan, EndpointPlan, SocketMatchPlan } from './plan.ts'
import type { BySecrets } from './secret-plan.ts'
import type { UpstreamTlsPlan } from './tls-plan.ts'

type Socketed = Pick<ClusterPlan, 'tls' | 'socketMatches'>

/**
 * How an endpoint of a cluster is called: by the first of its socket matches that the endpoint's metadata meets, else as the cluster
 * itself says (envoy.config.cluster.v3.Cluster.transport_socket_matches). undefined for plain text.
 */
export function socketFor(
  { socketMatches, tls }: Socketed,
  endpoint: EndpointPlan,
): BySecrets<UpstreamTlsPlan> | undefined {
  if (socketMatches.length === 0) return tls
  const match = socketMatches.find((one) => isMet(one, endpoint))
  return match === undefined ? tls : match.tls
}

function isMet({ criteria }: SocketMatchPlan, { socketMetadata }: EndpointPlan): boolean {
  return criteria.every(([key, wanted]) => {
    const value = socketMetadata?.[key]
    // Of a list one of its values will do, as in Envoy.
    return Array.isArray(value) ? value.some((one) => isDeepStrictEqual(one, wanted)) : isDeepStrictEqual(value, wanted)
  })
}
