import type { StringMatcher } from '../../../../api/gen/envoy/type/matcher/v3/string_pb.js'
import { exactText, prefixText, quoted, regexText, suffixText } from './matchers.ts'

/** Which SPIFFE ids the values of a rule mean. */

const SCHEME = 'spiffe://'

/** The trust domain of the mesh, and those by which it was known before. */
export interface TrustDomains {
  readonly trustDomain: string
  readonly trustDomainAliases: readonly string[]
}

/** Istio's word for the mesh's own trust domain, whatever that is called. */
const OWN_TRUST_DOMAIN = 'cluster.local'

/**
 * A principal (an id without `spiffe://`) with the same of every trust domain that is the mesh's own (Istio's
 * ReplaceTrustDomainAliases). One whose trust domain is another's stays as it is.
 */
export function withAliases(value: string, { trustDomain, trustDomainAliases }: TrustDomains): string[] {
  const slash = value.indexOf('/')
  if (slash < 0) return [value]
  const wanted = value.slice(0, slash)
  // `*/ns/a/sa/b` is of every trust domain already.
  if (wanted === '*' || wanted === '') return [value]
  const own = [trustDomain, ...trustDomainAliases]
  if (wanted !== OWN_TRUST_DOMAIN && !own.some((domain) => globMatches(wanted, domain))) return [value]
  const rest = value.slice(slash)
  return [...new Set(own.map((domain) => (globMatches(wanted, domain) ? value : domain + rest)))]
}

/** `value` may end or begin in a star. */
function globMatches(value: string, text: string): boolean {
  if (value.startsWith('*')) return text.endsWith(value.slice(1))
  return value.endsWith('*') ? text.startsWith(value.slice(0, -1)) : text === value
}

export function principalText(value: string): StringMatcher {
  if (value === '*') return regexText('.+')
  if (value.startsWith('*')) return regexText(`${SCHEME}.*${quoted(value.slice(1))}`)
  if (value.endsWith('*')) return prefixText(SCHEME + value.slice(0, -1))
  return exactText(SCHEME + value)
}

/** Stars stand for any text, wherever they are. */
export function namespaceText(value: string): StringMatcher {
  return regexText(`.*/ns/${value.split('*').map(quoted).join('.*')}/.*`)
}

/** `name` is of the namespace of the policy, `namespace/name` of that one. */
export function serviceAccountText(value: string, policyNamespace: string): StringMatcher {
  const slash = value.indexOf('/')
  const namespace = slash < 0 ? policyNamespace : value.slice(0, slash)
  return suffixText(`/ns/${namespace}/sa/${value.slice(slash + 1)}`)
}

export function trustDomainText(value: string): StringMatcher {
  if (!value.includes('*')) return prefixText(`${SCHEME}${value}/`)
  return regexText(`${SCHEME}${value.split('*').map(quoted).join('[^/]*')}/.*`)
}
