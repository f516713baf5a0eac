import type { MetadataMatcher } from '../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import type { ValueMatcher } from '../../../api/gen/envoy/type/matcher/v3/value_pb.js'
import { metadataAt } from '../../decide/metadata.ts'
import { compileMetadataMatcher } from '../../plan/compile/metadata-matcher.ts'
import type { Leaf } from './predicate.ts'
import { textKey } from './text-key.ts'

/** envoy.type.matcher.v3.MetadataMatcher, on the dynamic metadata of the call. */
export function metadataLeaf(matcher: MetadataMatcher, where: string): Leaf {
  const { filter, path, value, invert } = compileMetadataMatcher(matcher, where)
  const text = textOf(matcher.value)
  return {
    kind: 'leaf',
    describe: `metadata ${filter} ${path.join('.')} ${invert ? 'not ' : ''}${value.describe}`,
    key: invert || text === undefined ? undefined : textKey({ kind: 'metadata', filter, path }, text),
    test: (asked) => value.test(metadataAt(asked, filter, path)) !== invert,
  }
}

/** The text that the value, or one of a list, must match. */
function textOf(value: ValueMatcher | undefined) {
  const pattern = value?.matchPattern
  if (pattern?.case === 'stringMatch') return pattern.value
  if (pattern?.case !== 'listMatch') return undefined
  const inner = pattern.value.matchPattern.value?.matchPattern
  return inner?.case === 'stringMatch' ? inner.value : undefined
}
