import { create } from '@bufbuild/protobuf'
import {
  CorsPolicySchema,
  type CorsPolicy as EnvoyCorsPolicy,
} from '../../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { parseDurationMs } from '../../../crds/duration.ts'
import type { CorsPolicy } from '../../../crds/kinds/virtual-service.ts'
import { runtimeFraction, wholePercent } from '../percent.ts'
import { stringMatcher } from '../string-match.ts'

export function corsPolicy(policy: CorsPolicy): EnvoyCorsPolicy {
  // The old list of plain origins knew one wildcard: `*` alone.
  const origins =
    policy.allowOrigins ?? (policy.allowOrigin ?? []).map((o) => (o === '*' ? { regex: '.*' } : { exact: o }))
  const maxAgeMs = policy.maxAge === undefined ? undefined : parseDurationMs(policy.maxAge)
  return create(CorsPolicySchema, {
    allowOriginStringMatch: origins.map(stringMatcher),
    allowMethods: (policy.allowMethods ?? []).join(','),
    allowHeaders: (policy.allowHeaders ?? []).join(','),
    exposeHeaders: (policy.exposeHeaders ?? []).join(','),
    ...(maxAgeMs !== undefined && { maxAge: String(Math.floor(maxAgeMs / 1000)) }),
    ...(policy.allowCredentials !== undefined && { allowCredentials: policy.allowCredentials }),
    forwardNotMatchingPreflights: policy.unmatchedPreflights !== 'IGNORE',
    filterEnabled: runtimeFraction(wholePercent(100)),
  })
}
