import type {
  HeaderMatcher as HeaderMatcherProto,
  QueryParameterMatcher,
  RouteMatch,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import {
  containsMatcher,
  exactMatcher,
  type HeaderMatcher,
  prefixMatcher,
  type QueryMatcher,
  rangeMatcher,
  regexMatcher,
  type StringMatcher,
  suffixMatcher,
} from '../matchers.ts'
import type { PathMatchPlan, RouteMatchPlan } from '../plan.ts'
import { refuse } from '../plan-error.ts'
import { compileFraction, compileRegex, compileStringMatcher } from './common.ts'
import { compileMetadataMatcher } from './metadata-matcher.ts'

/** envoy.config.route.v3.RouteMatch. */
export function compileRouteMatch(match: RouteMatch | undefined, path: string): RouteMatchPlan {
  if (match === undefined) return refuse(path, 'a route needs a match')
  if (match.tlsContext !== undefined) refuse(`${path}.tls_context`, 'not supported')
  return {
    path: compilePath(match, path),
    headers: match.headers.map((header, i) => compileHeaderMatcher(header, `${path}.headers[${i}]`)),
    query: match.queryParameters.map((query, i) => compileQueryMatcher(query, `${path}.query_parameters[${i}]`)),
    metadata: match.dynamicMetadata.map((one, i) => compileMetadataMatcher(one, `${path}.dynamic_metadata[${i}]`)),
    fraction: compileFraction(match.runtimeFraction?.defaultValue),
    grpcOnly: match.grpc !== undefined,
  }
}

function compilePath(match: RouteMatch, path: string): PathMatchPlan {
  const specifier = match.pathSpecifier
  const ignoreCase = match.caseSensitive === false
  switch (specifier.case) {
    case 'prefix':
    case 'path':
      return { kind: specifier.case, value: ignoreCase ? specifier.value.toLowerCase() : specifier.value, ignoreCase }
    case 'pathSeparatedPrefix':
      return {
        kind: 'path_separated_prefix',
        value: ignoreCase ? specifier.value.toLowerCase() : specifier.value,
        ignoreCase,
      }
    case 'safeRegex':
      return { kind: 'regex', regex: compileRegex(specifier.value.regex, `${path}.safe_regex`) }
    case 'connectMatcher':
      return { kind: 'connect' }
    default:
      return refuse(path, `path specifier ${specifier.case ?? 'missing'} is not supported`)
  }
}

export function compileHeaderMatcher(matcher: HeaderMatcherProto, path: string): HeaderMatcher {
  if (matcher.name === '') refuse(`${path}.name`, 'a header name is needed')
  const lower = matcher.name.toLowerCase()
  const name = lower === 'host' ? ':authority' : lower
  const { invertMatch: invert, treatMissingHeaderAsEmpty: treatMissingAsEmpty } = matcher
  const specifier = matcher.headerMatchSpecifier
  // `present_match: false` asks for the field's absence.
  if (specifier.case === 'presentMatch' || specifier.case === undefined) {
    const wantsAbsent = specifier.case === 'presentMatch' && !specifier.value
    return { name, value: 'present', invert: invert !== wantsAbsent, treatMissingAsEmpty }
  }
  return { name, value: byCharacters(headerValueMatcher(specifier, path)), invert, treatMissingAsEmpty }
}

/**
 * A value is bytes, read as one character each. Who configures a character beyond ASCII means that of UTF-8: what it is
 * to be compared with must be decoded first, else a rule that forbids it never finds it.
 */
export function byCharacters(matcher: StringMatcher): StringMatcher {
  const { describe, test } = matcher
  if (/^[\0-\x7f]*$/.test(describe)) return matcher
  return { describe, test: (value) => test(value) || test(Buffer.from(value, 'latin1').toString('utf8')) }
}

function headerValueMatcher(
  specifier: Exclude<HeaderMatcherProto['headerMatchSpecifier'], { case: undefined } | { case: 'presentMatch' }>,
  path: string,
): StringMatcher {
  switch (specifier.case) {
    case 'stringMatch':
      return compileStringMatcher(specifier.value, `${path}.string_match`)
    case 'exactMatch':
      return exactMatcher(specifier.value, false)
    case 'prefixMatch':
      return prefixMatcher(specifier.value, false)
    case 'suffixMatch':
      return suffixMatcher(specifier.value, false)
    case 'containsMatch':
      return containsMatcher(specifier.value, false)
    case 'safeRegexMatch':
      return regexMatcher(compileRegex(specifier.value.regex, `${path}.safe_regex_match`))
    case 'rangeMatch':
      return rangeMatcher(Number(specifier.value.start), Number(specifier.value.end))
  }
}

export function compileQueryMatcher(matcher: QueryParameterMatcher, path: string): QueryMatcher {
  const specifier = matcher.queryParameterMatchSpecifier
  if (specifier.case === 'stringMatch') {
    return { name: matcher.name, value: compileStringMatcher(specifier.value, `${path}.string_match`) }
  }
  return { name: matcher.name, value: 'present' }
}
