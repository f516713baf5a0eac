import type { JsonValue } from '@bufbuild/protobuf'
import type { MetadataMatcher } from '../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import type { ValueMatcher as ValueMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/value_pb.js'
import { metadataAt } from '../../decide/metadata.ts'
import { compileStringMatcher } from '../../plan/compile/common.ts'
import { refuse } from '../../plan/plan-error.ts'
import type { Leaf } from './predicate.ts'
import { textKey } from './text-key.ts'

/** A compiled envoy.type.matcher.v3.ValueMatcher. What is not there is undefined, which only an inverted match meets. */
export interface ValueMatcher {
  readonly describe: string
  test(value: JsonValue | undefined): boolean
}

/** envoy.type.matcher.v3.MetadataMatcher, on the dynamic metadata of the call. */
export function compileMetadataMatcher(matcher: MetadataMatcher, where: string): Leaf {
  const { filter, invert } = matcher
  const path = matcher.path.map(({ segment }, i) =>
    segment.case === 'key' ? segment.value : refuse(`${where}.path[${i}]`, 'a key is needed'),
  )
  if (filter === '') refuse(`${where}.filter`, 'is needed')
  if (path.length === 0) refuse(`${where}.path`, 'at least one key is needed')
  if (matcher.value === undefined) return refuse(`${where}.value`, 'is needed')
  const value = compileValueMatcher(matcher.value, `${where}.value`)
  const text = textOf(matcher.value)
  return {
    kind: 'leaf',
    describe: `metadata ${filter} ${path.join('.')} ${invert ? 'not ' : ''}${value.describe}`,
    key: invert || text === undefined ? undefined : textKey({ kind: 'metadata', filter, path }, text),
    test: (asked) => value.test(metadataAt(asked, filter, path)) !== invert,
  }
}

/** The text that the value, or one of a list, must match. */
function textOf({ matchPattern }: ValueMatcherProto) {
  if (matchPattern.case === 'stringMatch') return matchPattern.value
  if (matchPattern.case !== 'listMatch') return undefined
  const inner = matchPattern.value.matchPattern.value?.matchPattern
  return inner?.case === 'stringMatch' ? inner.value : undefined
}

export function compileValueMatcher({ matchPattern }: ValueMatcherProto, where: string): ValueMatcher {
  switch (matchPattern.case) {
    case 'nullMatch':
      return { describe: 'null', test: (value) => value === null }
    case 'boolMatch': {
      const wanted = matchPattern.value
      return { describe: String(wanted), test: (value) => value === wanted }
    }
    case 'presentMatch': {
      const wanted = matchPattern.value
      return { describe: 'present', test: (value) => wanted && value !== undefined }
    }
    case 'stringMatch': {
      const { describe, test } = compileStringMatcher(matchPattern.value, `${where}.string_match`)
      return { describe, test: (value) => typeof value === 'string' && test(value) }
    }
    case 'doubleMatch': {
      const pattern = matchPattern.value.matchPattern
      if (pattern.case === 'exact') {
        const wanted = pattern.value
        return { describe: `= ${wanted}`, test: (value) => value === wanted }
      }
      if (pattern.case !== 'range') return refuse(`${where}.double_match`, 'a pattern is needed')
      const { start, end } = pattern.value
      const test = (value: JsonValue | undefined) => typeof value === 'number' && value >= start && value < end
      return { describe: `in [${start}, ${end})`, test }
    }
    case 'listMatch': {
      const inner = matchPattern.value.matchPattern
      if (inner.case !== 'oneOf') return refuse(`${where}.list_match`, 'one_of is needed')
      const one = compileValueMatcher(inner.value, `${where}.list_match.one_of`)
      const test = (value: JsonValue | undefined) => Array.isArray(value) && value.some((item) => one.test(item))
      return { describe: `has one that is ${one.describe}`, test }
    }
    case 'orMatch': {
      const all = matchPattern.value.valueMatchers.map((one, i) =>
        compileValueMatcher(one, `${where}.or_match.value_matchers[${i}]`),
      )
      return {
        describe: all.map((one) => one.describe).join(' or '),
        test: (value) => all.some((one) => one.test(value)),
      }
    }
    default:
      return refuse(where, 'a match pattern is needed')
  }
}
