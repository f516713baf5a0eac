import { type Any, anyUnpack } from '@bufbuild/protobuf/wkt'
import { CorsPolicySchema, CorsSchema } from '../../../../api/gen/envoy/extensions/filters/http/cors/v3/cors_pb.js'
import { compileFraction, compileFractionOrNever, compileStringMatcher } from '../../../plan/compile/common.ts'
import type { StringMatcher } from '../../../plan/matchers.ts'
import type { Fraction } from '../../../plan/plan.ts'
import { refuse } from '../../../plan/plan-error.ts'
import { wireText } from '../../../plan/wire-text.ts'

export interface CorsConfig {
  readonly allowOrigins: readonly StringMatcher[]
  readonly allowMethods: string
  readonly allowHeaders: string
  readonly exposeHeaders: string
  readonly maxAge: string
  readonly allowCredentials: boolean
  readonly forwardNotMatchingPreflights: boolean
  readonly allowPrivateNetwork: boolean
  /** undefined: always. */
  readonly enabled: Fraction | undefined
  /** Whose origins are judged and counted, and nothing more, where the policy is not enabled. */
  readonly shadow: Fraction | undefined
}

/** The connection manager only says that the filter is in the chain; policies come with routes. */
export function compileCors(any: Any, path: string): undefined {
  if (anyUnpack(any, CorsSchema) === undefined) refuse(path, 'is not a Cors')
  return undefined
}

/** envoy.extensions.filters.http.cors.v3.CorsPolicy. */
export function compileCorsPolicy(any: Any, path: string): CorsConfig {
  const policy = anyUnpack(any, CorsPolicySchema)
  if (policy === undefined) return refuse(path, 'is not a CorsPolicy')
  return {
    allowOrigins: policy.allowOriginStringMatch.map((matcher, i) =>
      compileStringMatcher(matcher, `${path}.allow_origin_string_match[${i}]`),
    ),
    allowMethods: wireText(policy.allowMethods, `${path}.allow_methods`),
    allowHeaders: wireText(policy.allowHeaders, `${path}.allow_headers`),
    exposeHeaders: wireText(policy.exposeHeaders, `${path}.expose_headers`),
    maxAge: wireText(policy.maxAge, `${path}.max_age`),
    allowCredentials: policy.allowCredentials ?? false,
    forwardNotMatchingPreflights: policy.forwardNotMatchingPreflights ?? true,
    allowPrivateNetwork: policy.allowPrivateNetworkAccess ?? false,
    enabled: compileFraction(policy.filterEnabled?.defaultValue),
    shadow: compileFractionOrNever(policy.shadowEnabled?.defaultValue),
  }
}
