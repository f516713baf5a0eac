import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { PeerCheckPlan } from '../plan/tls-plan.ts'
import { type CertificateFacts, factsOf } from './certificate-facts.ts'

/** What a finished handshake says of a connection. */
export interface TlsFacts {
  /** `TLSv1.2`, `TLSv1.3`. */
  readonly version: string
  readonly cipher: string
  /** The name that the client asked for, lower-case, or ''. */
  readonly serverName: string
  /** The protocol agreed on by ALPN, or ''. */
  readonly alpn: string
  readonly isResumed: boolean
  /** The URIs in our own certificate. */
  readonly localUris: readonly string[]
  /** undefined when the peer showed no certificate. */
  readonly peer: PeerIdentity | undefined
  /** The peer's certificate leads to a trusted root, or is one that the configuration knows by its hash. */
  readonly isPeerVerified: boolean
}

/** Who the peer is by its certificate. Only what was verified may be trusted: see the chain's `PeerCheckPlan`. */
export interface PeerIdentity extends CertificateFacts {
  /** The certificate and those that the peer sent with it, DER. */
  chain(): readonly Buffer[]
}

/** `localUris` are those in our own certificate; `check` is what acceptClient() holds the peer to. */
export function tlsFacts(socket: TLSSocket, localUris: readonly string[], check: PeerCheckPlan | undefined): TlsFacts {
  const certificate = socket.getPeerX509Certificate()
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    serverName: (socket.servername || '').toLowerCase(),
    alpn: socket.alpnProtocol || '',
    isResumed: socket.isSessionReused(),
    localUris,
    peer: certificate && { ...factsOf(certificate), chain: () => chainOf(socket.getPeerCertificate(true)) },
    isPeerVerified: certificate !== undefined && verifies(check),
  }
}

/** Names alone prove nothing: whoever shows a certificate has written them. */
function verifies(check: PeerCheckPlan | undefined): boolean {
  if (check === undefined) return false
  return check.verifiesChain || check.certificateHashes.length > 0 || check.keyHashes.length > 0
}

const MAX_CHAIN = 10

/** Node adds the root that it knows to what the peer sent, which nobody sends: it is left out. */
function chainOf(certificate: DetailedPeerCertificate): readonly Buffer[] {
  const chain = [certificate.raw]
  let at = certificate.issuerCertificate
  while (at?.raw !== undefined && at.issuerCertificate !== at && chain.length < MAX_CHAIN) {
    chain.push(at.raw)
    at = at.issuerCertificate
  }
  return chain
}

export type PeerRefusal = 'fail_verify_san' | 'fail_verify_cert_hash'

/** What of the check the certificate does not meet, its chain left aside; undefined when it meets all. */
export function refusePeer(check: PeerCheckPlan, certificate: CertificateFacts): PeerRefusal | undefined {
  const { names, certificateHashes, keyHashes } = check
  if (certificateHashes.length > 0 || keyHashes.length > 0) {
    const isPinned =
      (certificateHashes.length > 0 && certificateHashes.includes(certificate.certificateHash)) ||
      (keyHashes.length > 0 && keyHashes.includes(certificate.keyHash))
    if (!isPinned) return 'fail_verify_cert_hash'
  }
  if (names.length === 0) return undefined
  const matches = names.some(({ type, matcher }) =>
    certificate.altNames.some((name) => name.type === type && matcher.test(name.value)),
  )
  return matches ? undefined : 'fail_verify_san'
}

/** Whether a name of a certificate (`*.a.example` for one whole label) is for this host (RFC 9525 section 6.3). */
export function dnsNameMatches(pattern: string, host: string): boolean {
  const lower = pattern.toLowerCase()
  const wanted = host.toLowerCase()
  if (lower === wanted) return true
  if (!lower.startsWith('*.') || lower.indexOf('.', 2) < 0) return false
  const dot = wanted.indexOf('.')
  return dot > 0 && wanted.slice(dot) === lower.slice(1)
}
