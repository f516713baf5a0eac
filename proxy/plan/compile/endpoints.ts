import { HealthStatus } from '../../../api/gen/envoy/config/core/v3/health_check_pb.js'
import type { ClusterLoadAssignment } from '../../../api/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import type { EndpointPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { compileAddress } from './common.ts'
import { compileEndpointCheck } from './health-check.ts'

const SOCKET_MATCH = 'envoy.transport_socket_match'

/** envoy.config.endpoint.v3.ClusterLoadAssignment. Throws a PlanError that names the field. */
export function compileEndpoints(assignment: ClusterLoadAssignment, path = ''): EndpointPlan[] {
  const plans: EndpointPlan[] = []
  for (const [g, group] of assignment.endpoints.entries()) {
    const { region = '', zone = '', subZone = '' } = group.locality ?? {}
    for (const [e, lbEndpoint] of group.lbEndpoints.entries()) {
      const at = `${path === '' ? '' : `${path}.`}endpoints[${g}].lb_endpoints[${e}]`
      const { hostIdentifier, healthStatus } = lbEndpoint
      if (hostIdentifier.case !== 'endpoint') refuse(at, 'an endpoint is needed')
      plans.push({
        ...compileAddress(hostIdentifier.value.address, `${at}.endpoint.address`),
        hostname: hostIdentifier.value.hostname,
        weight: Math.max(1, lbEndpoint.loadBalancingWeight ?? 1),
        priority: group.priority,
        locality: region === '' ? '' : `${region}/${zone}/${subZone}`,
        healthy:
          healthStatus === HealthStatus.UNKNOWN ||
          healthStatus === HealthStatus.HEALTHY ||
          healthStatus === HealthStatus.DEGRADED,
        healthCheck: compileEndpointCheck(hostIdentifier.value.healthCheckConfig, `${at}.endpoint.health_check_config`),
        socketMetadata: lbEndpoint.metadata?.filterMetadata[SOCKET_MATCH],
      })
    }
  }
  return plans
}
