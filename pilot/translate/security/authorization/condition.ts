import type { Permission, Principal } from '../../../../api/gen/envoy/config/rbac/v3/rbac_pb.js'
import {
  ENVOY_FILTERS,
  parseAttribute,
  REQUEST_CLAIMS,
  REQUEST_HEADERS,
} from '../../../../config/authorization-attributes.ts'
import { cidrRange } from '../../address.ts'
import { namespaceText, principalText, serviceAccountText, type TrustDomains, trustDomainText } from './identity.ts'
import { headerMatcher, listValue, metadataMatcher, textMatcher, textValue } from './matchers.ts'
import { authenticated, permission, principal } from './terms.ts'
import { claimPrincipal, requestPrincipal } from './token.ts'

/** What a rule is translated for. */
export interface RuleContext {
  readonly action: 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'
  /** For connections of bytes: what only HTTP has is not known. */
  readonly isTcp: boolean
  /** Of the policy. */
  readonly namespace: string
  readonly options: TrustDomains
}

/** What a value of a `when` condition becomes; one of the two. */
interface ConditionTerm {
  readonly principal?: (value: string) => Principal
  readonly permission?: (value: string) => Permission
}

/** Which side of a rule an attribute is of. */
export function conditionSide(key: string): 'principal' | 'permission' {
  const isOfOperation = key.startsWith('destination.') || key === 'connection.sni' || key.startsWith(ENVOY_FILTERS)
  return isOfOperation ? 'permission' : 'principal'
}

/** undefined for what a connection of bytes has not. */
export function conditionTerm(key: string, { isTcp, namespace }: RuleContext): ConditionTerm | undefined {
  const attribute = parseAttribute(key)
  if (attribute === undefined || (isTcp && attribute.isHttp)) return undefined
  const { keys } = attribute
  if (key.startsWith(`${REQUEST_HEADERS}[`)) {
    return { principal: (value) => principal({ case: 'header', value: headerMatcher(keys[0] as string, value) }) }
  }
  if (key.startsWith(`${REQUEST_CLAIMS}[`)) return { principal: (value) => claimPrincipal(keys, value) }
  if (key.startsWith(ENVOY_FILTERS)) return { permission: (value) => filterMetadata(key, value) }
  return PLAIN[key]?.(namespace)
}

const PLAIN: Readonly<Record<string, (policyNamespace: string) => ConditionTerm>> = {
  'source.ip': () => ({ principal: (value) => principal({ case: 'directRemoteIp', value: cidrRange(value) }) }),
  'remote.ip': () => ({ principal: (value) => principal({ case: 'remoteIp', value: cidrRange(value) }) }),
  'source.namespace': () => ({ principal: (value) => authenticated(namespaceText(value)) }),
  'source.principal': () => ({ principal: (value) => authenticated(principalText(value)) }),
  'source.serviceAccount': (namespace) => ({
    principal: (value) => authenticated(serviceAccountText(value, namespace)),
  }),
  'source.trustDomain': () => ({ principal: (value) => authenticated(trustDomainText(value)) }),
  'request.auth.principal': () => ({ principal: requestPrincipal }),
  'request.auth.audiences': () => ({ principal: (value) => claimPrincipal(['aud'], value) }),
  'request.auth.presenter': () => ({ principal: (value) => claimPrincipal(['azp'], value) }),
  'destination.ip': () => ({ permission: (value) => permission({ case: 'destinationIp', value: cidrRange(value) }) }),
  'destination.port': () => ({ permission: (value) => permission({ case: 'destinationPort', value: Number(value) }) }),
  'connection.sni': () => ({
    permission: (value) => permission({ case: 'requestedServerName', value: textMatcher(value) }),
  }),
}

/** `experimental.envoy.filters.a.b[key]`: what filter `envoy.filters.a.b` keeps under the key; `[value]` is one of a list. */
function filterMetadata(key: string, value: string): Permission {
  const open = key.indexOf('[')
  const filter = key.slice('experimental.'.length, open)
  const isList = value.startsWith('[') && value.endsWith(']')
  const matcher = isList ? listValue(textMatcher(value.slice(1, -1))) : textValue(textMatcher(value))
  return permission({ case: 'metadata', value: metadataMatcher(filter, [key.slice(open + 1, -1)], matcher) })
}
