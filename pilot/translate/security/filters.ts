import type { Filter } from '../../../api/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { HttpFilter } from '../../../api/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { MeshOptions } from '../../mesh/options.ts'
import type { HttpRole } from '../listener/plan.ts'
import { httpAuthorization, httpCustomAuthorization, networkAuthorization } from './authorization/filters.ts'
import type { SecurityPlan } from './plan.ts'
import { requestAuthenticationFilters } from './request-authentication.ts'

interface Made {
  readonly options: MeshOptions
  http?: HttpFilter[]
  network?: Filter[]
}

/** All chains of a listener ask the same: what is made for one serves the others. */
const madeOf = new WeakMap<SecurityPlan, Made>()

function made(plan: SecurityPlan, options: MeshOptions): Made {
  const known = madeOf.get(plan)
  if (known?.options === options) return known
  const fresh = { options }
  madeOf.set(plan, fresh)
  return fresh
}

/** The HTTP filters of a plan, in Istio's order: external authorization, tokens, then our own rules. */
export function httpSecurityFilters(plan: SecurityPlan, options: MeshOptions, role: HttpRole): HttpFilter[] {
  const known = made(plan, options)
  known.http ??= [
    ...httpCustomAuthorization(plan.authorizationPolicies, options),
    ...requestAuthenticationFilters(plan, role),
    ...httpAuthorization(plan.authorizationPolicies, options),
  ]
  return known.http
}

/** The network filters of a plan, for ports where no HTTP is spoken. */
export function networkSecurityFilters(plan: SecurityPlan, options: MeshOptions): Filter[] {
  const known = made(plan, options)
  known.network ??= networkAuthorization(plan.authorizationPolicies, options)
  return known.network
}
