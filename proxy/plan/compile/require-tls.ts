import { create } from '@bufbuild/protobuf'
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type RouteMatch,
  RouteMatch_ConnectMatcherSchema,
  RouteMatchSchema,
  VirtualHost_TlsRequirementType as TlsRequirement,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import { StringMatcherSchema } from '../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import type { Origin } from '../../../api/origin.ts'
import { NO_MUTATIONS } from '../header-mutations.ts'
import type { RedirectPlan, RoutePlan } from '../plan.ts'
import { compileRouteMatch } from './route-match.ts'

/** As Envoy answers: 301, to the same host and path. */
const TO_HTTPS: RedirectPlan = {
  kind: 'redirect',
  status: 301,
  httpsRedirect: true,
  scheme: '',
  host: '',
  port: 0,
  path: '',
  prefixRewrite: undefined,
  regexRewrite: undefined,
  stripQuery: false,
}

/** A virtual host's `require_tls` as routes before all of its own: what did not come by TLS is sent there. */
export function tlsRedirects(required: TlsRequirement, origin: Origin | undefined): RoutePlan[] {
  if (required === TlsRequirement.NONE) return []
  const headers = [isNot(':scheme', 'https')]
  if (required === TlsRequirement.EXTERNAL_ONLY) headers.push(isNot('x-envoy-internal', 'true'))
  const everything: RouteMatch['pathSpecifier'][] = [
    { case: 'prefix', value: '' },
    { case: 'connectMatcher', value: create(RouteMatch_ConnectMatcherSchema) },
  ]
  return everything.map((pathSpecifier) => ({
    name: 'require_tls',
    match: compileRouteMatch(create(RouteMatchSchema, { pathSpecifier, headers }), 'require_tls'),
    action: TO_HTTPS,
    mutations: NO_MUTATIONS,
    filterConfigs: new Map(),
    origin,
  }))
}

function isNot(name: string, value: string): HeaderMatcher {
  const matcher = create(StringMatcherSchema, { matchPattern: { case: 'exact', value } })
  return create(HeaderMatcherSchema, {
    name,
    invertMatch: true,
    treatMissingHeaderAsEmpty: true,
    headerMatchSpecifier: { case: 'stringMatch', value: matcher },
  })
}
