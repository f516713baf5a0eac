import { create } from '@bufbuild/protobuf'
import {
  type RouteAction,
  RouteActionSchema,
  WeightedCluster_ClusterWeightSchema,
  WeightedClusterSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import {
  type RegexMatchAndSubstitute,
  RegexMatchAndSubstituteSchema,
} from '../../../api/gen/envoy/type/matcher/v3/regex_pb.js'
import type { StringMatch } from '../../../crds/kinds/common.ts'
import type { HTTPRewrite, HTTPRoute, HTTPRouteDestination } from '../../../crds/kinds/virtual-service.ts'
import { duration, durationOf } from '../messages.ts'
import { regexMatcher } from '../string-match.ts'
import type { RouteContext } from './context.ts'
import { destinationCluster, destinationPort } from './destination.ts'
import { type HashedDestination, hashPolicies } from './hash-policy.ts'
import { authorityOf, type HeaderMutations, headerMutations, joinMutations } from './headers.ts'
import { mirrorPolicies } from './mirror.ts'
import { retryPolicy } from './retry.ts'

/** What becomes of a request that a route forwards, with the headers that change on the way. */
export interface Forwarding {
  readonly action: RouteAction
  readonly headers: HeaderMutations
}

export function forward(route: HTTPRoute, uri: StringMatch | undefined, context: RouteContext): Forwarding {
  const destinations = weighed(route.route ?? [])
  const only = destinations.length === 1 ? destinations[0] : undefined
  const authority = route.rewrite?.authority || authorityOf(route.headers) || authorityOf(only?.headers)
  const retries = retryPolicy(route.retries, context.options.defaultHttpRetryPolicy)
  const timeout = durationOf(route.timeout)
  const action = create(RouteActionSchema, {
    clusterSpecifier: clusterSpecifier(destinations, context),
    // Envoy's own default would be 15 s.
    timeout: timeout ?? duration(0),
    ...(timeout && { maxGrpcTimeout: timeout }),
    ...(retries && { retryPolicy: retries }),
    ...pathRewrite(route.rewrite, uri),
    ...(authority && { hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: authority } }),
    requestMirrorPolicies: mirrorPolicies(route, context),
    hashPolicy: hashPolicies(destinations.map((destination) => hashedDestination(destination, context))),
  })
  const headers = headerMutations(route.headers)
  return { action, headers: only === undefined ? headers : joinMutations(headers, headerMutations(only.headers)) }
}

/** A sole destination gets everything whatever its weight; of several, those without weight get nothing. */
function weighed(destinations: readonly HTTPRouteDestination[]): readonly HTTPRouteDestination[] {
  return destinations.length === 1
    ? destinations
    : destinations.filter(({ weight }) => weight !== undefined && weight > 0)
}

function hashedDestination({ destination }: HTTPRouteDestination, context: RouteContext): HashedDestination {
  const service = context.serviceOf(destination.host)
  return {
    rule: service && context.ruleOf(service),
    subset: destination.subset ?? '',
    port: destinationPort(destination, service, context.port),
  }
}

function clusterSpecifier(
  destinations: readonly HTTPRouteDestination[],
  context: RouteContext,
): RouteAction['clusterSpecifier'] {
  const clusterOf = ({ destination }: HTTPRouteDestination) =>
    destinationCluster(destination, context.serviceOf(destination.host), context.port)
  const [first] = destinations
  if (destinations.length === 1 && first !== undefined) return { case: 'cluster', value: clusterOf(first) }
  const clusters = destinations.map((destination) => {
    const authority = authorityOf(destination.headers)
    return create(WeightedCluster_ClusterWeightSchema, {
      name: clusterOf(destination),
      weight: destination.weight ?? 0,
      ...headerMutations(destination.headers),
      ...(authority && { hostRewriteSpecifier: { case: 'hostRewriteLiteral' as const, value: authority } }),
    })
  })
  return { case: 'weightedClusters', value: create(WeightedClusterSchema, { clusters }) }
}

/** A matched prefix is replaced as a string; of an exact match or a pattern, the whole path is. */
function pathRewrite(
  rewrite: HTTPRewrite | undefined,
  uri: StringMatch | undefined,
): { prefixRewrite?: string; regexRewrite?: RegexMatchAndSubstitute } {
  const regex = rewrite?.uriRegexRewrite
  if (regex !== undefined) return { regexRewrite: substitution(regex.match ?? '', regex.rewrite ?? '') }
  if (rewrite?.uri === undefined || rewrite.uri === '') return {}
  if (uri?.exact === undefined && uri?.regex === undefined) return { prefixRewrite: rewrite.uri }
  return { regexRewrite: substitution('^.*$', rewrite.uri.replaceAll('\\', '\\\\')) }
}

function substitution(pattern: string, text: string): RegexMatchAndSubstitute {
  return create(RegexMatchAndSubstituteSchema, { pattern: regexMatcher(pattern), substitution: text })
}
