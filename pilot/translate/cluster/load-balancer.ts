import { Cluster_LbPolicy } from '../../../api/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { LoadBalancerSettings } from '../../../crds/kinds/destination-rule.ts'

/** Undefined for PASSTHROUGH: the call goes to the address that the client chose. */
export function lbPolicy(settings: LoadBalancerSettings | undefined): Cluster_LbPolicy | undefined {
  switch (settings?.simple) {
    case 'ROUND_ROBIN':
      return Cluster_LbPolicy.ROUND_ROBIN
    case 'RANDOM':
      return Cluster_LbPolicy.RANDOM
    case 'PASSTHROUGH':
      return undefined
    default:
      return Cluster_LbPolicy.LEAST_REQUEST
  }
}
