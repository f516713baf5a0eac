import { create } from '@bufbuild/protobuf'
import { type RegexMatcher, RegexMatcherSchema } from '../../api/gen/envoy/type/matcher/v3/regex_pb.js'
import { type StringMatcher, StringMatcherSchema } from '../../api/gen/envoy/type/matcher/v3/string_pb.js'
import type { StringMatch } from '../../crds/kinds/common.ts'

/** Whether the match asks only that something be there: it is empty, or Istio's regex `*`. */
export function isPresence(match: StringMatch): boolean {
  if (match.regex === '*') return true
  return match.exact === undefined && match.prefix === undefined && match.regex === undefined
}

/** For matches that are not mere presence. An empty prefix matches every value. */
export function stringMatcher(match: StringMatch): StringMatcher {
  if (match.exact !== undefined)
    return create(StringMatcherSchema, { matchPattern: { case: 'exact', value: match.exact } })
  // Envoy refuses an empty prefix.
  if (match.prefix === '') return regexStringMatcher('.*')
  if (match.prefix !== undefined) {
    return create(StringMatcherSchema, { matchPattern: { case: 'prefix', value: match.prefix } })
  }
  return regexStringMatcher(match.regex ?? '.*')
}

export function regexMatcher(regex: string): RegexMatcher {
  return create(RegexMatcherSchema, { regex })
}

function regexStringMatcher(regex: string): StringMatcher {
  return create(StringMatcherSchema, { matchPattern: { case: 'safeRegex', value: regexMatcher(regex) } })
}
