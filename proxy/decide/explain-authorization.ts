import type { Origin } from '../../api/origin.ts'
import { parseRuleName } from '../../api/rule-names.ts'
import type { TlsFacts } from '../tls/peer.ts'
import { type ConnectionFacts, connectionFacts } from './connection-facts.ts'
import type { AuthorizationDecision } from './decision.ts'
import type { SymbolicCall } from './explain.ts'

/** What `explain` prints of the rules about callers. `verdict` is `none` where no rule is asked. */
export interface AuthorizationExplained {
  verdict: AuthorizationDecision['verdict']
  /** `namespace/name` of the AuthorizationPolicy, or the name of the RBAC policy as it is; null when none matched. */
  policy: string | null
  /** Its number in the policy, from 0. */
  rule: string | null
  origin: Origin | null
}

export const NOT_ASKED: AuthorizationExplained = { verdict: 'none', policy: null, rule: null, origin: null }

export function explainAuthorization({ verdict, policy }: AuthorizationDecision): AuthorizationExplained {
  if (policy === undefined) return { ...NOT_ASKED, verdict }
  const rule = parseRuleName(policy.name)
  return {
    verdict,
    policy: rule === undefined ? policy.name : `${rule.namespace}/${rule.policy}`,
    rule: rule === undefined ? null : String(rule.rule),
    origin: policy.origin ?? null,
  }
}

/** What is known of the connection that nobody makes. */
export function factsOf(call: SymbolicCall, destinationAddress: string, destinationPort: number): ConnectionFacts {
  const { tls, sni, alpn, peer, sourceIp = '' } = call
  const serverName = sni.toLowerCase()
  return connectionFacts({
    destinationAddress,
    destinationPort,
    directSourceAddress: sourceIp,
    sourceAddress: sourceIp,
    transportProtocol: tls === 'none' ? 'raw_buffer' : 'tls',
    serverName,
    applicationProtocols: alpn,
    tls: tls === 'none' ? undefined : handshake(serverName, tls === 'mtls' ? peer : ''),
  })
}

/** As if the peer had shown a certificate of this one name that was verified. */
function handshake(serverName: string, peer: string): TlsFacts {
  const raw = Buffer.alloc(0)
  const identity = {
    altNames: [{ type: 'uri' as const, value: peer }],
    uri: peer,
    uris: [peer],
    subject: '',
    raw,
    chain: () => [raw],
    certificateHash: '',
    keyHash: '',
    validToMs: Number.POSITIVE_INFINITY,
  }
  return {
    version: 'TLSv1.3',
    cipher: '',
    serverName,
    alpn: '',
    isResumed: false,
    localUris: [],
    peer: peer === '' ? undefined : identity,
    isPeerVerified: peer !== '',
  }
}
