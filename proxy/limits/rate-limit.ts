import { formatPrefix } from '../../lib/ip.ts'
import type { Call } from '../decide/call.ts'
import type { Decision } from '../decide/decision.ts'
import { firstFieldOf, headerMatches, queryOf } from '../decide/fields.ts'
import { metadataAt } from '../decide/metadata.ts'
import { peerNames } from '../filters/rbac/peer-names.ts'
import { type HeaderMatcher, type QueryMatcher, queryValue } from '../plan/matchers.ts'

/** What a call is counted under: a compiled envoy.config.route.v3.RateLimit. */
export interface RateLimitPlan {
  readonly stage: number
  readonly actions: readonly ActionPlan[]
}

/** Whether the limits of a virtual host count beside those of a route, in their place, or not at all. */
export type VirtualHostLimits = 'override' | 'include' | 'ignore'

export function takesHostLimits(option: VirtualHostLimits, ofRoute: readonly RateLimitPlan[]): boolean {
  return option === 'include' || (option === 'override' && ofRoute.length === 0)
}

/** Each gives one entry of a descriptor. */
export type ActionPlan = { readonly key: string } & (
  | { readonly kind: 'source_cluster' | 'destination_cluster' | 'remote_address' }
  | { readonly kind: 'generic_key'; readonly value: string }
  | { readonly kind: 'request_headers' | 'query_parameters'; readonly name: string; readonly skipIfAbsent: boolean }
  | { readonly kind: 'masked_remote_address'; readonly v4Bits: number; readonly v6Bits: number }
  | {
      readonly kind: 'header_value_match'
      readonly value: string
      readonly wants: boolean
      readonly headers: readonly HeaderMatcher[]
    }
  | {
      readonly kind: 'query_parameter_value_match'
      readonly value: string
      readonly wants: boolean
      readonly query: readonly QueryMatcher[]
    }
  | {
      readonly kind: 'metadata'
      readonly filter: string
      readonly path: readonly string[]
      readonly orElse: string
      readonly skipIfAbsent: boolean
    }
  | { readonly kind: 'expression'; readonly expression: Expression; readonly skipIfAbsent: boolean }
)

/** The CEL expressions that are understood, by their text. */
export const EXPRESSIONS = {
  'connection.uri_san_peer_certificate': 'peer',
  'connection.mtls ? connection.uri_san_peer_certificate : "-"': 'peer or -',
  'request.url_path': 'path',
  'request.path': 'target',
  'request.method': 'method',
  'request.host': 'host',
} as const
export type Expression = (typeof EXPRESSIONS)[keyof typeof EXPRESSIONS]

/** The entries of one call, in parallel lists that are used again and again. */
export class Descriptor {
  readonly keys: string[] = []
  readonly values: string[] = []
  /** How many of the lists count: these never shrink, so that filling them makes nothing. */
  length = 0

  /** False where one of the actions has nothing to say, so that there is no descriptor. */
  fill({ actions }: RateLimitPlan, call: Call, decision: Decision): boolean {
    this.length = 0
    for (let i = 0; i < actions.length; i++) {
      const action = actions[i] as ActionPlan
      const value = entryValue(action, call, decision)
      if (value !== undefined) {
        this.keys[this.length] = action.key
        this.values[this.length++] = value
      } else if (!('skipIfAbsent' in action) || !action.skipIfAbsent) return false
    }
    return this.length > 0
  }
}

function entryValue(action: ActionPlan, call: Call, decision: Decision): string | undefined {
  const { head } = call
  switch (action.kind) {
    case 'generic_key':
      return action.value
    case 'request_headers':
      return firstFieldOf(head, action.name)
    case 'remote_address':
      return clientAddress(call, decision)
    case 'header_value_match':
      return action.headers.every((matcher) => headerMatches(matcher, head)) === action.wants ? action.value : undefined
    case 'query_parameters':
      return queryValue(queryOf(head.path), action.name)
    case 'query_parameter_value_match':
      return action.query.every((one) => queryMatches(one, head.path)) === action.wants ? action.value : undefined
    case 'masked_remote_address': {
      const address = clientAddress(call, decision)
      return address && formatPrefix(address, address.includes(':') ? action.v6Bits : action.v4Bits)
    }
    case 'source_cluster':
      return call.around.localCluster || undefined
    case 'destination_cluster':
      return decision.choice?.cluster
    case 'metadata':
      return metadataText(decision, action.filter, action.path) || action.orElse || undefined
    case 'expression':
      return expressionValue(action.expression, call)
  }
}

/** undefined where there is none, as for a unix socket. */
function clientAddress({ facts }: Call, decision: Decision): string | undefined {
  return decision.clientAddress || facts.sourceAddress || undefined
}

function queryMatches({ name, value }: QueryMatcher, path: string): boolean {
  const found = queryValue(queryOf(path), name)
  return found !== undefined && (value === 'present' || value.test(found))
}

function metadataText(decision: Decision, filter: string, path: readonly string[]): string {
  const value = metadataAt(decision, filter, path)
  return typeof value === 'string' ? value : ''
}

function expressionValue(expression: Expression, { head, facts }: Call): string | undefined {
  switch (expression) {
    case 'peer':
      return peerUri(facts)
    case 'peer or -':
      return facts.tls?.isPeerVerified === true ? peerUri(facts) : '-'
    case 'path': {
      const query = head.path.indexOf('?')
      return query < 0 ? head.path : head.path.slice(0, query)
    }
    case 'target':
      return head.path
    case 'method':
      return head.method
    case 'host':
      return head.authority
  }
}

/** Only a certificate that was verified says anything. */
function peerUri(facts: Call['facts']): string | undefined {
  return peerNames(facts).length === 0 ? undefined : facts.tls?.peer?.uri || undefined
}
