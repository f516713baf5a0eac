import { isIP } from 'node:net'
import { create } from '@bufbuild/protobuf'
import {
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcherSchema,
} from '../../api/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import { StringMatcherSchema } from '../../api/gen/envoy/type/matcher/v3/string_pb.js'

/** Names that a peer's certificate may have, one of them exactly. Istio writes them without their type, which shows in each. */
export function subjectAltNames(names: readonly string[]): SubjectAltNameMatcher[] {
  return names.map((name) =>
    create(SubjectAltNameMatcherSchema, {
      sanType: typeOf(name),
      matcher: create(StringMatcherSchema, { matchPattern: { case: 'exact', value: name } }),
    }),
  )
}

function typeOf(name: string): SanType {
  if (name.includes('://')) return SanType.URI
  if (isIP(name) !== 0) return SanType.IP_ADDRESS
  return name.includes('@') ? SanType.EMAIL : SanType.DNS
}
