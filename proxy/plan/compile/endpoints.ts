import { HealthStatus } from '../../../api/gen/envoy/config/core/v3/health_check_pb.js'
import type { LocalityLbEndpoints } from '../../../api/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import type { ClusterLoadAssignment } from '../../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { DEFAULT_ENDPOINT_POLICY, type EndpointPlan, type EndpointPolicyPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { criteriaOfStruct } from '../subset-criteria.ts'
import { type WorkloadFacts, workloadOfText } from '../workload.ts'
import { compileAddress } from './common.ts'
import { compileEndpointCheck } from './health-check.ts'
import { SUBSET_METADATA } from './subsets.ts'

const SOCKET_MATCH = 'envoy.transport_socket_match'
/** The proto's own bound. */
const MAX_PRIORITY = 128

const ROUTABLE: ReadonlySet<HealthStatus> = new Set([HealthStatus.UNKNOWN, HealthStatus.HEALTHY, HealthStatus.DEGRADED])

/** envoy.config.endpoint.v3.ClusterLoadAssignment. Throws a PlanError that names the field. */
export function compileEndpoints(assignment: ClusterLoadAssignment, path = ''): EndpointPlan[] {
  const plans: EndpointPlan[] = []
  const within = path === '' ? '' : `${path}.`
  const policy = compilePolicy(assignment.policy, `${within}policy`)
  for (const [g, group] of assignment.endpoints.entries()) {
    const { priority, locality, localityWeight } = compileLocality(group, `${within}endpoints[${g}]`)
    for (const [e, lbEndpoint] of group.lbEndpoints.entries()) {
      const at = `${within}endpoints[${g}].lb_endpoints[${e}]`
      const { hostIdentifier, healthStatus, metadata } = lbEndpoint
      if (hostIdentifier.case !== 'endpoint') refuse(at, 'an endpoint is needed')
      const { address, port, unixPath } = compileAddress(hostIdentifier.value.address, `${at}.endpoint.address`)
      // Written out: what is spread is slow to read, and each change of health reads all.
      plans.push({
        address,
        port,
        unixPath,
        hostname: hostIdentifier.value.hostname,
        weight: Math.max(1, lbEndpoint.loadBalancingWeight ?? 1),
        priority,
        locality,
        localityWeight,
        policy,
        healthy: ROUTABLE.has(healthStatus),
        degraded: healthStatus === HealthStatus.DEGRADED,
        draining: healthStatus === HealthStatus.DRAINING,
        healthCheck: compileEndpointCheck(hostIdentifier.value.healthCheckConfig, `${at}.endpoint.health_check_config`),
        subsetMetadata: criteriaOfStruct(metadata?.filterMetadata[SUBSET_METADATA]),
        socketMetadata: metadata?.filterMetadata[SOCKET_MATCH],
        workload: compileWorkload(metadata?.filterMetadata.istio?.workload),
        hashKey: textOf(metadata?.filterMetadata[SUBSET_METADATA]?.hash_key),
      })
    }
  }
  return plans
}

function compileLocality(group: LocalityLbEndpoints, path: string) {
  const { priority, locality, loadBalancingWeight } = group
  if (priority > MAX_PRIORITY) refuse(`${path}.priority`, `must be at most ${MAX_PRIORITY}`)
  const { region = '', zone = '', subZone = '' } = locality ?? {}
  return {
    priority,
    locality: region === '' && zone === '' && subZone === '' ? '' : `${region}/${zone}/${subZone}`,
    // As in Envoy, who has no locality has no weight either.
    localityWeight: locality === undefined ? 0 : (loadBalancingWeight ?? 0),
  }
}

function compilePolicy(policy: ClusterLoadAssignment['policy'], path: string): EndpointPolicyPlan {
  if (policy === undefined) return DEFAULT_ENDPOINT_POLICY
  const { overprovisioningFactor, weightedPriorityHealth } = policy
  if (overprovisioningFactor === 0) refuse(`${path}.overprovisioning_factor`, 'must be more than 0')
  return {
    overprovisioningPercent: overprovisioningFactor ?? DEFAULT_ENDPOINT_POLICY.overprovisioningPercent,
    weighsHealth: weightedPriorityHealth,
  }
}

function compileWorkload(text: unknown): WorkloadFacts | undefined {
  return typeof text === 'string' ? workloadOfText(text) : undefined
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
