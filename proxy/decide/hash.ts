import { type Hash64, HashValue, hexOf, xxHash64OfLatin1 } from '../../lib/xxhash64.ts'
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
    if (hashOne(policy, call, decision)) {
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

/** Whether the policy found something, whose hash is then in `value`. */
function hashOne(policy: HashPolicyPlan, call: Call, decision: Decision): boolean {
  switch (policy.kind) {
    case 'header':
      return hashHeader(policy, call.head)
    case 'cookie':
      return hashText(cookieText(policy, call, decision))
    case 'source_ip':
      return hashText(decision.clientAddress || call.facts.sourceAddress || undefined)
    default:
      return hashText(queryValue(queryOf(call.head.path), policy.name))
  }
}

function hashText(text: string | undefined): boolean {
  if (text === undefined) return false
  xxHash64OfLatin1(text, value)
  return true
}

/**
 * Of several values of a field each is hashed with the hash of the one before for its seed, in the order of their bytes: so it
 * does not matter in what order they came.
 */
function hashHeader({ name, rewrite }: Extract<HashPolicyPlan, { kind: 'header' }>, head: RequestHead): boolean {
  const rewritten = (text: string) =>
    rewrite === undefined ? text : rewrite.regex.replaceAll(text, rewrite.substitution)
  const values = fieldsOf(head, name).map(rewritten).sort()
  value.set(NO_SEED)
  for (const text of values) xxHash64OfLatin1(text, value, value)
  return values.length > 0
}

function fieldsOf(head: RequestHead, name: string): string[] {
  const values: string[] = []
  if (name.charCodeAt(0) === 58) {
    const text = fieldOf(head, name)
    return text === undefined ? values : [text]
  }
  head.anyValue(name, { test: (text) => values.push(text) === 0 })
  return values
}

const NO_SEED: Hash64 = { high: 0, low: 0 }

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
  return hexOf(value)
}
