import type { SafeRegex } from '../../lib/safe-regex.ts'

/** What of a request is hashed, so that requests that are alike go to the same host (envoy.config.route.v3.RouteAction.HashPolicy). */
export type HashPolicyPlan = {
  /** Once there is a hash, those that follow are not asked. */
  readonly terminal: boolean
} & (
  | {
      readonly kind: 'header'
      /** Lower-case; may be a pseudo-header. */
      readonly name: string
      readonly rewrite: { readonly regex: SafeRegex; readonly substitution: string } | undefined
    }
  | { readonly kind: 'cookie'; readonly name: string; readonly session: SessionCookiePlan | undefined }
  | { readonly kind: 'source_ip' }
  | { readonly kind: 'query_parameter'; readonly name: string }
)

/** The cookie that a client is given that has none. */
export interface SessionCookiePlan {
  /** What follows the value in Set-Cookie. */
  readonly attributes: string
}

export const NO_HASH_POLICIES: readonly HashPolicyPlan[] = []

export function describeHashPolicy(policy: HashPolicyPlan): string {
  switch (policy.kind) {
    case 'source_ip':
      return "the client's address"
    case 'query_parameter':
      return `query parameter ${policy.name}`
    default:
      return `${policy.kind} ${policy.name}`
  }
}
