import { type Hash64, HashValue, hashText, xxHash64OfLatin1 } from '../../lib/xxhash64.ts'
import type { HashPolicyPlan } from '../plan/hash-policy-plan.ts'
import { queryValue } from '../plan/matchers.ts'
import type { RequestHead } from '../stream/message.ts'
import type { Call } from './call.ts'
import { type ConnectionFacts, destinationText, sourceText } from './connection-facts.ts'
import { CookieFinder } from './cookie.ts'
import type { Decision } from './decision.ts'
import { fieldOf, queryOf } from './fields.ts'

const value = new HashValue()

/**
 * What a route's hash policies find in a call (Envoy's HashPolicyImpl::generateHash), written to `decision.hash`; each that finds
 * something turns the hash of those before by one bit and mixes its own in. Nothing found leaves it undefined. They see the
 * request as it came, before header fields and path are changed.
 */
export function hashCall(policies: readonly HashPolicyPlan[], call: Call, decision: Decision): void {
  const { hashValue: hash } = decision
  for (let i = 0; i < policies.length; i++) {
    const policy = policies[i] as HashPolicyPlan
    const text = textOf(policy, call, decision)
    if (text !== undefined) {
      xxHash64OfLatin1(text, value)
      if (decision.hash === undefined) hash.set(value)
      else mix(hash, value)
      decision.hash = hash
    }
    if (policy.terminal && decision.hash !== undefined) return
  }
}

/** The hash of a client's address, for connections that are proxied as bytes. */
export function hashOfAddress(address: string): Hash64 {
  const hash = new HashValue()
  xxHash64OfLatin1(address, hash)
  return hash
}

/** rotl(hash, 1) ^ other: two policies that find the same do not cancel each other out. */
function mix(hash: HashValue, other: Hash64): void {
  const { high, low } = hash
  hash.high = (((high << 1) | (low >>> 31)) ^ other.high) >>> 0
  hash.low = (((low << 1) | (high >>> 31)) ^ other.low) >>> 0
}

function textOf(policy: HashPolicyPlan, call: Call, decision: Decision): string | undefined {
  switch (policy.kind) {
    case 'header':
      return headerText(policy, call.head)
    case 'cookie':
      return cookieText(policy, call, decision)
    case 'source_ip':
      return decision.clientAddress || call.facts.sourceAddress || undefined
    default:
      return queryValue(queryOf(call.head.path), policy.name)
  }
}

/** Several values of a field count as one text, in the order of their bytes: who appends another field changes the order they come in. */
function headerText(
  { name, rewrite }: Extract<HashPolicyPlan, { kind: 'header' }>,
  head: RequestHead,
): string | undefined {
  const rewritten = (text: string) =>
    rewrite === undefined ? text : rewrite.regex.replaceAll(text, rewrite.substitution)
  if (name.charCodeAt(0) === 58 || head.find(name, head.find(name) + 1) < 0) {
    const text = fieldOf(head, name)
    return text === undefined ? undefined : rewritten(text)
  }
  const values: string[] = []
  const gather = { test: (text: string) => values.push(rewritten(text)) === 0 }
  head.anyValue(name, gather)
  return values.sort().join('')
}

const finder = new CookieFinder()

function cookieText(
  { name, session }: Extract<HashPolicyPlan, { kind: 'cookie' }>,
  { head, facts }: Call,
  decision: Decision,
): string | undefined {
  const brought = finder.find(head, name)
  if (brought !== '') return brought
  if (session === undefined) return undefined
  const made = sessionValue(facts, decision.clientAddress)
  decision.setCookies ??= []
  decision.setCookies.push(`${name}="${made}"${session.attributes}`)
  return made
}

/**
 * Requests that one client sends at the same time get the same cookie, so it comes of the connection's addresses, as Envoy's
 * does; and of the client's address where proxies in front vouch for it, since their connections carry the requests of many.
 */
function sessionValue(facts: ConnectionFacts, clientAddress: string): string {
  xxHash64OfLatin1(`${sourceText(facts)}${destinationText(facts)}${clientAddress}`, value)
  return hashText(value)
}
