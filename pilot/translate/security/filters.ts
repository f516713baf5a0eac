import type { Filter } from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { HttpFilter } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { MeshOptions } from '../../mesh/options.ts'
import { httpAuthorization, httpCustomAuthorization, networkAuthorization } from './authorization/filters.ts'
import type { SecurityPlan } from './plan.ts'

/** The HTTP filters of a plan, in Istio's order: external authorization, tokens, then our own rules. */
export function httpSecurityFilters(plan: SecurityPlan, options: MeshOptions): HttpFilter[] {
  return [
    ...httpCustomAuthorization(plan.authorizationPolicies, options),
    ...httpAuthorization(plan.authorizationPolicies, options),
  ]
}

/** The network filters of a plan, for ports where no HTTP is spoken. */
export function networkSecurityFilters(plan: SecurityPlan, options: MeshOptions): Filter[] {
  return networkAuthorization(plan.authorizationPolicies, options)
}
