import { createHash, X509Certificate } from 'node:crypto'
import type { DetailedPeerCertificate, PeerCertificate, TLSSocket } from 'node:tls'
import type { PeerCheckPlan } from '../plan/tls-plan.ts'
import { type AltName, parseAltNames } from './alt-names.ts'

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
export interface PeerIdentity {
  readonly altNames: readonly AltName[]
  /** The first URI among the names, such as `spiffe://cluster.local/ns/a/sa/b`; '' when there is none. */
  readonly uri: string
  /** As RFC 2253 writes it, the most specific part first. */
  readonly subject: string
  /** DER. */
  readonly raw: Buffer
  /** The certificate and those that the peer sent with it, DER. */
  chain(): readonly Buffer[]
  /** SHA-256 of the certificate, as 64 lower-case hex digits. */
  readonly certificateHash: string
  readonly validToMs: number
}

/** `check` is what acceptClient() holds the peer to. */
export function tlsFacts(socket: TLSSocket, check: PeerCheckPlan | undefined): TlsFacts {
  const certificate = socket.getPeerCertificate()
  return {
    version: socket.getProtocol() ?? '',
    cipher: socket.getCipher().standardName,
    serverName: (socket.servername || '').toLowerCase(),
    alpn: socket.alpnProtocol || '',
    isResumed: socket.isSessionReused(),
    localUris: localUrisOf(socket),
    peer: hasCertificate(certificate)
      ? peerIdentity(certificate, () => chainOf(socket.getPeerCertificate(true)))
      : undefined,
    isPeerVerified: hasCertificate(certificate) && verifies(check),
  }
}

/** Names alone prove nothing: whoever shows a certificate has written them. */
function verifies(check: PeerCheckPlan | undefined): boolean {
  if (check === undefined) return false
  return check.verifiesChain || check.certificateHashes.length > 0 || check.keyHashes.length > 0
}

/** Node gives an empty object where there is no certificate. */
export function hasCertificate(certificate: PeerCertificate | undefined): certificate is PeerCertificate {
  return certificate?.raw !== undefined
}

export function peerIdentity(
  certificate: PeerCertificate,
  chain: PeerIdentity['chain'] = () => [certificate.raw],
): PeerIdentity {
  const altNames = parseAltNames(certificate.subjectaltname)
  return {
    altNames,
    uri: altNames.find((name) => name.type === 'uri')?.value ?? '',
    subject: subjectText(certificate),
    raw: certificate.raw,
    chain,
    certificateHash: hashOf(certificate),
    validToMs: Date.parse(certificate.valid_to),
  }
}

function subjectText(certificate: PeerCertificate): string {
  const { subject } = new X509Certificate(certificate.raw)
  // A line for each part, escaped already but for what is no ASCII. An empty subject is undefined.
  const parts = (subject ?? '').split('\n').reverse()
  return parts
    .join(',')
    .replace(/[^\0-\x7f]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `\\${byte.toString(16).toUpperCase()}`).join(''),
    )
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

function localUrisOf(socket: TLSSocket): readonly string[] {
  const own = socket.getCertificate() as Partial<PeerCertificate> | null
  const names = parseAltNames(own?.subjectaltname)
  return names.filter((name) => name.type === 'uri').map((name) => name.value)
}

function hashOf(certificate: PeerCertificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex')
}

export type PeerRefusal = 'fail_verify_san' | 'fail_verify_cert_hash'

/** What of the check the certificate does not meet, its chain left aside; undefined when it meets all. */
export function refusePeer(check: PeerCheckPlan, certificate: PeerCertificate): PeerRefusal | undefined {
  const { names, certificateHashes, keyHashes } = check
  if (certificateHashes.length > 0 || keyHashes.length > 0) {
    const isPinned =
      (certificateHashes.length > 0 && certificateHashes.includes(hashOf(certificate))) ||
      (keyHashes.length > 0 && keyHashes.includes(keyHashOf(certificate)))
    if (!isPinned) return 'fail_verify_cert_hash'
  }
  if (names.length === 0) return undefined
  const shown = parseAltNames(certificate.subjectaltname)
  const matches = names.some(({ type, matcher }) =>
    shown.some((name) => name.type === type && matcher.test(name.value)),
  )
  return matches ? undefined : 'fail_verify_san'
}

/** SHA-256 of the SubjectPublicKeyInfo, as base64 (RFC 7469 section 2.4). */
function keyHashOf(certificate: PeerCertificate): string {
  const { publicKey } = new X509Certificate(certificate.raw)
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64')
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
