import { create } from '@bufbuild/protobuf'
import {
  type MetadataMatcher,
  MetadataMatcher_PathSegmentSchema,
  MetadataMatcherSchema,
} from '../../../api/gen/envoy/type/matcher/v3/metadata_pb.js'
import {
  ListMatcherSchema,
  OrMatcherSchema,
  type ValueMatcher,
  ValueMatcherSchema,
} from '../../../api/gen/envoy/type/matcher/v3/value_pb.js'
import type { StringMatch } from '../../../crds/kinds/common.ts'
import { isPresence, stringMatcher } from '../string-match.ts'
import { JWT_AUTHN_FILTER, JWT_PAYLOAD } from './request-authentication.ts'

/** A claim that is this text, or a list with it (Istio's MetadataMatcherForJWTClaims). */
export function claimMatcher(path: readonly string[], match: StringMatch, invert: boolean): MetadataMatcher {
  return create(MetadataMatcherSchema, {
    filter: JWT_AUTHN_FILTER,
    path: [JWT_PAYLOAD, ...path].map((key) =>
      create(MetadataMatcher_PathSegmentSchema, { segment: { case: 'key', value: key } }),
    ),
    value: isPresence(match) ? present() : textOrListOf(match),
    invert,
  })
}

function present(): ValueMatcher {
  return create(ValueMatcherSchema, { matchPattern: { case: 'presentMatch', value: true } })
}

function textOrListOf(match: StringMatch): ValueMatcher {
  const text = create(ValueMatcherSchema, { matchPattern: { case: 'stringMatch', value: stringMatcher(match) } })
  const list = create(ListMatcherSchema, { matchPattern: { case: 'oneOf', value: text } })
  return create(ValueMatcherSchema, {
    matchPattern: {
      case: 'orMatch',
      value: create(OrMatcherSchema, {
        valueMatchers: [text, create(ValueMatcherSchema, { matchPattern: { case: 'listMatch', value: list } })],
      }),
    },
  })
}
