import { create } from '@bufbuild/protobuf'
import { DecoratorSchema, type Route } from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { parseClusterName } from '../../../api/names.ts'

/**
 * What spans of the route's calls are called: `host:port` of the one destination and the path that the route is for (Istio's
 * telemetry.TraceOperation and GetRouteOperation). Routes with several destinations, or none, are left to the proxy.
 */
export function withDecorator(route: Route): Route {
  const specifier = route.action.case === 'route' ? route.action.value.clusterSpecifier : undefined
  const cluster = specifier?.case === 'cluster' ? parseClusterName(specifier.value) : undefined
  if (cluster === undefined || cluster.host === '') return route
  route.decorator = create(DecoratorSchema, { operation: `${cluster.host}:${cluster.port}${pathOf(route)}` })
  return route
}

function pathOf({ match }: Route): string {
  const path = match?.pathSpecifier
  switch (path?.case) {
    case 'prefix':
      return `${path.value}*`
    case 'path':
    case 'pathSeparatedPrefix':
      return path.value
    case 'safeRegex':
      return path.value.regex
    default:
      return '/*'
  }
}
