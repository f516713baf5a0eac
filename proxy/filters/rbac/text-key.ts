import type { StringMatcher as StringMatcherProto } from '../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import type { IndexKey, Subject } from './index-key.ts'

/**
 * The key of a text condition. Texts beyond ASCII have none: they may be met by their bytes or by their characters. Nor have
 * those that ignore case, unless the subject is folded.
 */
export function textKey(subject: Subject, matcher: StringMatcherProto): IndexKey | undefined {
  const { matchPattern, ignoreCase } = matcher
  const isFolded = subject.kind === 'header' && subject.fold
  if (ignoreCase !== isFolded) return undefined
  switch (matchPattern.case) {
    case 'exact':
    case 'prefix':
    case 'suffix': {
      const { value } = matchPattern
      if (!/^[\0-\x7f]*$/.test(value)) return undefined
      return { subject, how: matchPattern.case, value: isFolded ? value.toLowerCase() : value }
    }
    case 'safeRegex':
      return isFolded ? undefined : regexKey(subject, matchPattern.value.regex)
    default:
      return undefined
  }
}

/** The two shapes that Istio's rules have: a namespace within an identity, and one text before and one after anything. */
function regexKey(subject: Subject, pattern: string): IndexKey | undefined {
  const namespace = /^\.\*\/ns\/([a-z0-9-]+)\/\.\*$/.exec(pattern)?.[1]
  if (namespace !== undefined) return { subject, how: 'namespace', value: namespace }
  const suffix = /^[\w:/-]*\.[*+]((?:[\w:/-]|\\\.)+)$/.exec(pattern)?.[1]
  return suffix === undefined ? undefined : { subject, how: 'suffix', value: suffix.replaceAll('\\.', '.') }
}
