import { formatClusterName } from '../../../api/names.ts'
import type { Origin } from '../../../api/origin.ts'
import type { Subset } from '../../../crds/kinds/destination-rule.ts'
import type { DestinationRule, DestinationRuleIndex } from '../../mesh/destination-rule.ts'
import type { NodeScope } from '../../mesh/scope.ts'
import { effectivePolicy } from '../../mesh/traffic-policy.ts'
import type { Service, ServicePort } from '../../registry/service.ts'

/** How a cluster finds its endpoints. */
export type Discovery = 'EDS' | 'STRICT_DNS' | 'LOGICAL_DNS' | 'ORIGINAL_DST'

/** One outbound cluster before it is made. */
export interface ClusterPlan {
  readonly name: string
  readonly service: Service
  readonly port: ServicePort
  readonly subset: Subset | undefined
  readonly rule: DestinationRule | undefined
  readonly discovery: Discovery
  readonly origin: Origin
}

/** A cluster for every port of every service, and one for each of its subsets. */
export function clusterPlans(scope: NodeScope, rules: DestinationRuleIndex): ClusterPlan[] {
  const plans: ClusterPlan[] = []
  for (const service of scope.services.services) {
    const rule = rules.find(scope, service)
    const subsets = [undefined, ...(rule?.subsets ?? [])]
    for (const port of service.ports) {
      if (port.protocol === 'UDP') continue
      for (const entry of subsets) {
        const subset = entry?.subset
        plans.push({
          name: formatClusterName({
            direction: 'outbound',
            port: port.number,
            subset: subset?.name ?? '',
            host: service.host,
          }),
          service,
          port,
          subset,
          rule,
          discovery: discoveryOf(service, rule, subset, port, scope),
          origin: entry?.origin ?? service.origin,
        })
      }
    }
  }
  return plans
}

function discoveryOf(
  service: Service,
  rule: DestinationRule | undefined,
  subset: Subset | undefined,
  port: ServicePort,
  scope: NodeScope,
): Discovery {
  if (effectivePolicy(rule, subset?.name ?? '', port.number).loadBalancer?.simple === 'PASSTHROUGH')
    return 'ORIGINAL_DST'
  switch (service.resolution) {
    case 'DNSLB':
      return 'STRICT_DNS'
    case 'DNSRoundRobinLB':
      return 'LOGICAL_DNS'
    case 'ClientSideLB':
      return 'EDS'
    case 'Passthrough':
      // The client picked one Pod of a headless service; but only a redirected connection still knows which.
      return service.headless && !scope.captured ? 'EDS' : 'ORIGINAL_DST'
  }
}
