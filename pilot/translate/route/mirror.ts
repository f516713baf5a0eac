import { create } from '@bufbuild/protobuf'
import {
  type RouteAction_RequestMirrorPolicy,
  RouteAction_RequestMirrorPolicySchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { FractionalPercent } from '../../../api/gen/envoy/type/v3/percent_pb.js'
import type { Destination } from '../../../crds/kinds/common.ts'
import type { HTTPRoute } from '../../../crds/kinds/virtual-service.ts'
import { fractionalPercent, runtimeFraction, wholePercent } from '../percent.ts'
import type { RouteContext } from './context.ts'
import { destinationCluster } from './destination.ts'

/** Where copies of a request go, and how many of them. A percentage that is not given is all; 0 is none. */
export function mirrorPolicies(route: HTTPRoute, context: RouteContext): RouteAction_RequestMirrorPolicy[] {
  const policies = (route.mirrors ?? []).map(({ destination, percentage }) =>
    mirrorPolicy(destination, percentage === undefined ? wholePercent(100) : fractionalPercent(percentage), context),
  )
  if (route.mirror !== undefined) policies.unshift(mirrorPolicy(route.mirror, mirrorFraction(route), context))
  return policies.filter((policy) => policy.runtimeFraction?.defaultValue?.numerator !== 0)
}

function mirrorFraction(route: HTTPRoute): FractionalPercent {
  if (route.mirrorPercentage !== undefined) return fractionalPercent(route.mirrorPercentage)
  return wholePercent(route.mirrorPercent ?? route.mirror_percent ?? 100)
}

function mirrorPolicy(destination: Destination, fraction: FractionalPercent, context: RouteContext) {
  return create(RouteAction_RequestMirrorPolicySchema, {
    cluster: destinationCluster(destination, context.serviceOf(destination.host), context.port),
    runtimeFraction: runtimeFraction(fraction),
    // Istio has long dropped Envoy's `-shadow`: many servers refuse a host that they do not know.
    disableShadowHostSuffixAppend: true,
  })
}
