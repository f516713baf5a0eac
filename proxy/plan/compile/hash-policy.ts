import type {
  RouteAction_HashPolicy_Cookie as CookiePolicy,
  RouteAction_HashPolicy as HashPolicy,
} from '../../../api/gen/envoy/config/route/v3/route_components_pb.js'
import type { RegexMatchAndSubstitute } from '../../../api/gen/envoy/type/matcher/v3/regex_pb.js'
import type { HashPolicy as TcpHashPolicy } from '../../../api/gen/envoy/type/v3/hash_policy_pb.js'
import { missingGroup, type SafeRegex } from '../../../lib/safe-regex.ts'
import { type HashPolicyPlan, NO_HASH_POLICIES, type SessionCookiePlan } from '../hash-policy-plan.ts'
import { refuse } from '../plan-error.ts'
import { fieldName, wireText } from '../wire-text.ts'
import { compileRegex } from './common.ts'

/** envoy.config.route.v3.RouteAction.hash_policy. Throws a PlanError that names the field. */
export function compileHashPolicies(policies: readonly HashPolicy[], path: string): readonly HashPolicyPlan[] {
  if (policies.length === 0) return NO_HASH_POLICIES
  return policies.flatMap((policy, i) => compileHashPolicy(policy, `${path}[${i}]`))
}

function compileHashPolicy({ policySpecifier: specifier, terminal }: HashPolicy, path: string): HashPolicyPlan[] {
  switch (specifier.case) {
    case 'header': {
      const { headerName, regexRewrite } = specifier.value
      const at = `${path}.header`
      const name = headerName.startsWith(':') ? headerName : fieldName(headerName, `${at}.header_name`)
      const rewrite = regexRewrite && compileSubstitution(regexRewrite, `${at}.regex_rewrite`)
      return [{ kind: 'header', name: name.toLowerCase(), rewrite, terminal }]
    }
    case 'cookie': {
      const name = fieldName(specifier.value.name, `${path}.cookie.name`)
      return [{ kind: 'cookie', name, session: compileSession(specifier.value, `${path}.cookie`), terminal }]
    }
    case 'connectionProperties':
      return specifier.value.sourceIp ? [{ kind: 'source_ip', terminal }] : []
    case 'queryParameter': {
      const at = `${path}.query_parameter.name`
      const name = specifier.value.name === '' ? refuse(at, 'is needed') : wireText(specifier.value.name, at)
      return [{ kind: 'query_parameter', name, terminal }]
    }
    default:
      return refuse(path, `${specifier.case ?? 'a policy without a kind'} is not supported`)
  }
}

/** envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.hash_policy: whether connections are hashed by their client's address. */
export function compileTcpHashPolicy(policies: readonly TcpHashPolicy[], path: string): boolean {
  for (const [i, { policySpecifier: specifier }] of policies.entries()) {
    if (specifier.case !== 'sourceIp') refuse(`${path}[${i}]`, `${specifier.case ?? 'no kind'} is not supported`)
  }
  return policies.length > 0
}

export function compileSubstitution(
  rewrite: RegexMatchAndSubstitute,
  path: string,
): { regex: SafeRegex; substitution: string } {
  const regex = compileRegex(rewrite.pattern?.regex ?? '', `${path}.pattern`)
  const group = missingGroup(regex, rewrite.substitution)
  if (group !== undefined) refuse(`${path}.substitution`, `the pattern has no group ${group}`)
  return { regex, substitution: wireText(rewrite.substitution, `${path}.substitution`) }
}

/** Without a `ttl` only the cookies that clients bring are hashed; one of 0 is a cookie of the session. */
function compileSession({ ttl, path: of, attributes }: CookiePolicy, path: string): SessionCookiePlan | undefined {
  if (ttl === undefined) return undefined
  const parts: string[] = []
  if (ttl.seconds !== 0n) parts.push(`Max-Age=${ttl.seconds}`)
  if (of !== '') parts.push(`Path=${cookieText(of, `${path}.path`)}`)
  for (const [i, { name, value }] of attributes.entries()) {
    const at = `${path}.attributes[${i}]`
    const key = fieldName(name, `${at}.name`)
    parts.push(value === '' ? key : `${key}=${cookieText(value, `${at}.value`)}`)
  }
  parts.push('HttpOnly')
  return { attributes: parts.map((part) => `; ${part}`).join('') }
}

function cookieText(text: string, path: string): string {
  return text.includes(';') ? refuse(path, 'must not hold a semicolon') : wireText(text, path)
}
