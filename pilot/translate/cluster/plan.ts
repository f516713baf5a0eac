import { type ClusterName, formatClusterName, formatSniName } from '../../../api/names.ts'
import type { Origin } from '../../../api/origin.ts'
import { clientCredentials } from '../../../config/credential/uses.ts'
import { hostWithin } from '../../../config/hosts.ts'
import type { Subset } from '../../../crds/kinds/destination-rule.ts'
import type { DestinationRule, DestinationRuleIndex } from '../../mesh/destination-rule.ts'
import { autoPassthroughHosts } from '../../mesh/gateway.ts'
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
  /** Named for SNI, and given TLS as it comes: a gateway passes on what the client has secured for the workload itself. */
  readonly passesTls: boolean
  /** Whether its TLS takes what the Secret of the rule's `credentialName` holds. */
  readonly takesCredential: boolean
  readonly origin: Origin
}

/**
 * A cluster for every port of every service, and one for each of its subsets; the same again, by their names for SNI, where a gateway
 * passes on by those.
 */
export function clusterPlans(scope: NodeScope, rules: DestinationRuleIndex): ClusterPlan[] {
  const plans: ClusterPlan[] = []
  const passedOn = autoPassthroughHosts(scope.gatewayPorts)
  for (const service of scope.services.services) {
    const rule = rules.find(scope, service)
    const subsets = [undefined, ...(rule?.subsets ?? [])]
    for (const port of service.ports) {
      if (port.protocol === 'UDP') continue
      for (const entry of subsets) {
        const subset = entry?.subset
        const name = clusterNameOf(service, port, subset)
        const plan = {
          name: formatClusterName(name),
          service,
          port,
          subset,
          rule,
          discovery: discoveryOf(service, rule, subset, port, scope),
          passesTls: false,
          takesCredential: takesCredential(scope, rule, subset, port),
          origin: entry?.origin ?? service.origin,
        }
        plans.push(plan)
        if (isPassedOn(service, passedOn)) {
          plans.push({ ...plan, name: formatSniName(name), passesTls: true, takesCredential: false })
        }
      }
    }
  }
  return plans
}

export function clusterNameOf(service: Service, port: ServicePort, subset: Subset | undefined): ClusterName {
  return { direction: 'outbound', port: port.number, subset: subset?.name ?? '', host: service.host }
}

/** What is outside of the mesh does not end the mesh's TLS. */
export function isPassedOn(service: Service, hosts: readonly string[]): boolean {
  return !service.meshExternal && hosts.some((host) => hostWithin(service.host, host))
}

/** Secrets are of the proxy's namespace: a sidecar's only where the rule is meant for it (Istio's rule). */
function takesCredential(
  scope: NodeScope,
  rule: DestinationRule | undefined,
  subset: Subset | undefined,
  port: ServicePort,
): boolean {
  if (rule === undefined || (scope.type !== 'router' && rule.selector === undefined)) return false
  return clientCredentials(effectivePolicy(rule, subset?.name ?? '', port.number).tls).length > 0
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
