import type { JsonValue } from '@bufbuild/protobuf'
import type { MetadataMatcher as MetadataMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import type { DoubleMatcher } from '../../../api/gen/envoy/type/matcher/v3/number_pb.js'
import type { ValueMatcher as ValueMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/value_pb.js'
import type { MetadataMatcher, ValueMatcher } from '../metadata-matcher.ts'
import { refuse } from '../plan-error.ts'
import { compileStringMatcher } from './common.ts'

/** envoy.type.matcher.v3.MetadataMatcher. Throws a PlanError that names the field. */
export function compileMetadataMatcher(matcher: MetadataMatcherProto, path: string): MetadataMatcher {
  if (matcher.filter === '') refuse(`${path}.filter`, 'is needed')
  if (matcher.path.length === 0) refuse(`${path}.path`, 'needs at least one segment')
  if (matcher.value === undefined) return refuse(`${path}.value`, 'is needed')
  return {
    filter: matcher.filter,
    path: matcher.path.map(({ segment }, i) =>
      segment.case === 'key' ? segment.value : refuse(`${path}.path[${i}]`, 'must be a key'),
    ),
    value: compileValueMatcher(matcher.value, `${path}.value`),
    invert: matcher.invert,
  }
}

export function compileValueMatcher({ matchPattern }: ValueMatcherProto, path: string): ValueMatcher {
  switch (matchPattern.case) {
    case 'stringMatch': {
      const { describe, test } = compileStringMatcher(matchPattern.value, `${path}.string_match`)
      return { describe, test: (value) => typeof value === 'string' && test(value) }
    }
    case 'boolMatch': {
      const wanted = matchPattern.value
      return { describe: String(wanted), test: (value) => value === wanted }
    }
    case 'presentMatch': {
      const wanted = matchPattern.value
      return { describe: wanted ? 'present' : 'never', test: (value) => wanted && value !== undefined }
    }
    case 'nullMatch':
      return { describe: 'null', test: (value) => value === null }
    case 'doubleMatch':
      return doubleMatcher(matchPattern.value, `${path}.double_match`)
    case 'listMatch': {
      const { matchPattern: inner } = matchPattern.value
      if (inner.case !== 'oneOf') return refuse(`${path}.list_match`, 'needs one_of')
      const { describe, test } = compileValueMatcher(inner.value, `${path}.list_match.one_of`)
      return {
        describe: `a list with ${describe}`,
        test: (value) => Array.isArray(value) && value.some((item: JsonValue) => test(item)),
      }
    }
    case 'orMatch': {
      const any = matchPattern.value.valueMatchers.map((one, i) => compileValueMatcher(one, `${path}.or_match[${i}]`))
      return {
        describe: any.map(({ describe }) => describe).join(' or '),
        test: (value) => any.some((one) => one.test(value)),
      }
    }
    default:
      return refuse(path, `value match ${matchPattern.case ?? 'without a pattern'} is not supported`)
  }
}

function doubleMatcher({ matchPattern }: DoubleMatcher, path: string): ValueMatcher {
  switch (matchPattern.case) {
    case 'exact': {
      const wanted = matchPattern.value
      return { describe: String(wanted), test: (value) => value === wanted }
    }
    case 'range': {
      const { start, end } = matchPattern.value
      return {
        describe: `range [${start}, ${end})`,
        test: (value) => typeof value === 'number' && value >= start && value < end,
      }
    }
    default:
      return refuse(path, 'needs a pattern')
  }
}
