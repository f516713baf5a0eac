import { create } from '@bufbuild/protobuf'
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
} from '../../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import {
  type MetadataMatcher,
  MetadataMatcher_PathSegmentSchema,
  MetadataMatcherSchema,
} from '../../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import { RegexMatcherSchema } from '../../../../api/gen/envoy/type/matcher/v3/regex_pb.js'
import { type StringMatcher, StringMatcherSchema } from '../../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import {
  ListMatcherSchema,
  type ValueMatcher,
  ValueMatcherSchema,
} from '../../../../api/gen/envoy/type/matcher/v3/value_pb.js'

/** What a value of a rule becomes (Istio's pilot/pkg/security/authz/matcher). */

/** `*` is any text but none, `*x` what ends so, `x*` what begins so; a star anywhere else stands for itself. */
export function textMatcher(value: string, ignoreCase = false): StringMatcher {
  if (value === '*') return regexText('.+')
  const pattern: StringMatcher['matchPattern'] = value.startsWith('*')
    ? { case: 'suffix', value: value.slice(1) }
    : value.endsWith('*')
      ? { case: 'prefix', value: value.slice(0, -1) }
      : { case: 'exact', value }
  return create(StringMatcherSchema, { matchPattern: pattern, ignoreCase })
}

export function exactText(value: string): StringMatcher {
  return create(StringMatcherSchema, { matchPattern: { case: 'exact', value } })
}

export function prefixText(value: string): StringMatcher {
  return create(StringMatcherSchema, { matchPattern: { case: 'prefix', value } })
}

export function suffixText(value: string): StringMatcher {
  return create(StringMatcherSchema, { matchPattern: { case: 'suffix', value } })
}

export function regexText(regex: string): StringMatcher {
  const value = create(RegexMatcherSchema, { regex })
  return create(StringMatcherSchema, { matchPattern: { case: 'safeRegex', value } })
}

/** The same text in a pattern. */
export function quoted(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&')
}

/** A lone star is a header that is there, whatever it says. */
export function headerMatcher(name: string, value: string, ignoreCase = false): HeaderMatcher {
  const specifier: HeaderMatcher['headerMatchSpecifier'] =
    value === '*'
      ? { case: 'presentMatch', value: true }
      : { case: 'stringMatch', value: textMatcher(value, ignoreCase) }
  return create(HeaderMatcherSchema, { name, headerMatchSpecifier: specifier })
}

export function metadataMatcher(filter: string, path: readonly string[], value: ValueMatcher): MetadataMatcher {
  return create(MetadataMatcherSchema, {
    filter,
    path: path.map((key) => create(MetadataMatcher_PathSegmentSchema, { segment: { case: 'key', value: key } })),
    value,
  })
}

export function textValue(matcher: StringMatcher): ValueMatcher {
  return create(ValueMatcherSchema, { matchPattern: { case: 'stringMatch', value: matcher } })
}

/** A list of which one is such a text. */
export function listValue(matcher: StringMatcher): ValueMatcher {
  const oneOf = create(ListMatcherSchema, { matchPattern: { case: 'oneOf', value: textValue(matcher) } })
  return create(ValueMatcherSchema, { matchPattern: { case: 'listMatch', value: oneOf } })
}
