import type { Filter } from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { HttpFilter } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { MeshOptions } from '../../mesh/options.ts'
import type { HttpRole } from '../listener/plan.ts'
import type { SecurityPlan } from './plan.ts'
import { requestAuthenticationFilters } from './request-authentication.ts'

/** The HTTP filters of a plan, in Istio's order: external authorization, tokens, then our own rules. */
export function httpSecurityFilters(plan: SecurityPlan, _options: MeshOptions, role: HttpRole): HttpFilter[] {
  return [...requestAuthenticationFilters(plan, role)]
}

/** The network filters of a plan, for ports where no HTTP is spoken. */
export function networkSecurityFilters(_plan: SecurityPlan, _options: MeshOptions): Filter[] {
  return []
}
