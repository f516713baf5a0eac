import { create } from '@bufbuild/protobuf'
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type QueryParameterMatcher,
  QueryParameterMatcherSchema,
  type RouteMatch,
  RouteMatchSchema,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { MetadataMatcher } from '../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import { claimPath } from '../../../config/claims.ts'
import type { StringMatch } from '../../../crds/kinds/common.ts'
import type { HTTPMatchRequest } from '../../../crds/kinds/virtual-service.ts'
import { claimMatcher } from '../security/claim-matcher.ts'
import { isPresence, regexMatcher, stringMatcher } from '../string-match.ts'

/** What a request must be like (HTTPMatchRequest -> RouteMatch). No match at all takes every request. */
export function routeMatch(match: HTTPMatchRequest | undefined): RouteMatch {
  return create(RouteMatchSchema, {
    pathSpecifier: pathSpecifier(match?.uri),
    // Envoy knows no case for patterns.
    ...(match?.uri !== undefined && match.uri.regex === undefined && match.ignoreUriCase && { caseSensitive: false }),
    headers: match === undefined ? [] : headerMatchers(match),
    dynamicMetadata: match === undefined ? [] : claimMatchers(match),
    queryParameters: Object.entries(match?.queryParams ?? {})
      .sort(byName)
      .map(queryMatcher),
  })
}

function pathSpecifier(uri: StringMatch | undefined): RouteMatch['pathSpecifier'] {
  if (uri?.exact !== undefined) return { case: 'path', value: uri.exact }
  if (uri?.regex !== undefined) return { case: 'safeRegex', value: regexMatcher(uri.regex) }
  return { case: 'prefix', value: uri?.prefix ?? '/' }
}

/** Whether nothing after such a route can ever be reached (Istio's isCatchAllRoute). */
export function isCatchAll(match: RouteMatch): boolean {
  if (match.headers.length > 0 || match.queryParameters.length > 0 || match.dynamicMetadata.length > 0) return false
  const path = match.pathSpecifier
  if (path.case === 'prefix') return path.value === '/' || path.value === ''
  return path.case === 'safeRegex' && path.value.regex === '.*'
}

function headerMatchers(match: HTTPMatchRequest): HeaderMatcher[] {
  const { method, authority, scheme } = match
  return [
    ...Object.entries(match.headers ?? {})
      .filter(([name]) => claimPath(name) === undefined)
      .sort(byName)
      .map(headerMatcher),
    ...Object.entries(match.withoutHeaders ?? {})
      .filter(([name]) => claimPath(name) === undefined)
      .sort(byName)
      .map(withoutHeader),
    ...(method === undefined ? [] : [headerMatcher([':method', method])]),
    ...(authority === undefined ? [] : [headerMatcher([':authority', authority])]),
    ...(scheme === undefined ? [] : [headerMatcher([':scheme', scheme])]),
  ]
}

/** What a token must say, as jwt_authn has left it. */
function claimMatchers({ headers = {}, withoutHeaders = {} }: HTTPMatchRequest): MetadataMatcher[] {
  const of = (matches: Record<string, StringMatch>, invert: boolean) =>
    Object.entries(matches)
      .sort(byName)
      .flatMap(([name, match]) => {
        const path = claimPath(name)
        return path === undefined ? [] : [claimMatcher(path, match, invert)]
      })
  return [...of(headers, false), ...of(withoutHeaders, true)]
}

function headerMatcher([name, match]: [string, StringMatch]): HeaderMatcher {
  return create(HeaderMatcherSchema, { name: name.toLowerCase(), headerMatchSpecifier: headerSpecifier(match) })
}

/** A header that is missing counts as empty, unless its mere presence is what is not wanted. */
function withoutHeader([name, match]: [string, StringMatch]): HeaderMatcher {
  return create(HeaderMatcherSchema, {
    name: name.toLowerCase(),
    headerMatchSpecifier: headerSpecifier(match),
    invertMatch: true,
    treatMissingHeaderAsEmpty: !isPresence(match),
  })
}

function headerSpecifier(match: StringMatch): HeaderMatcher['headerMatchSpecifier'] {
  if (isPresence(match)) return { case: 'presentMatch', value: true }
  return { case: 'stringMatch', value: stringMatcher(match) }
}

function queryMatcher([name, match]: [string, StringMatch]): QueryParameterMatcher {
  return create(QueryParameterMatcherSchema, {
    name,
    queryParameterMatchSpecifier: isPresence(match)
      ? { case: 'presentMatch', value: true }
      : { case: 'stringMatch', value: stringMatcher(match) },
  })
}

/** Maps have no order of their own; the same YAML must give the same bytes. */
function byName([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0
}
