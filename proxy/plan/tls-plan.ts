import type { SecureContext } from 'node:tls'
import type { TlsAcceptor } from '../tls/acceptor.ts'
import type { CertificateChoice } from '../tls/certificate-choice.ts'
import type { StringMatcher } from './matchers.ts'

/** What a peer's certificate must be (envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext). */
export interface PeerCheckPlan {
  /** Certificates must lead to a trusted root. */
  readonly verifiesChain: boolean
  /** At least one subject alternative name must match one of these; none of them means any name does. */
  readonly names: readonly SanMatcherPlan[]
  /** SHA-256 of the certificate, as 64 lower-case hex digits. */
  readonly certificateHashes: readonly string[]
  /** SHA-256 of the public key (SubjectPublicKeyInfo), as base64. */
  readonly keyHashes: readonly string[]
}

export interface SanMatcherPlan {
  readonly type: SanType
  readonly matcher: StringMatcher
}

export type SanType = 'dns' | 'uri' | 'email' | 'ip'

/** What a TLS context shows and trusts, as it is told to operators: nothing private is in it. */
export interface CertificatesPlan {
  /** Its own chains; of PKCS #12 there are none to be read. */
  readonly chains: readonly PemPlan[]
  readonly roots: PemPlan | undefined
}

export interface PemPlan {
  /** The file that it is in; '' when it is in none. */
  readonly path: string
  readonly pem: Buffer
}

/** DownstreamTlsContext. */
export interface DownstreamTlsPlan {
  /** undefined while a secret is not there. */
  readonly certificates: CertificatesPlan | undefined
  /** Who makes handshakes, by the client's server name; undefined while a secret is not there: connections then end. */
  readonly acceptors: CertificateChoice<TlsAcceptor> | undefined
  readonly requiresClientCertificate: boolean
  readonly requiresServerName: boolean
  /** undefined when nothing is checked. */
  readonly peer: PeerCheckPlan | undefined
}

/** UpstreamTlsContext. */
export interface UpstreamTlsPlan {
  /** undefined while a secret is not there. */
  readonly certificates: CertificatesPlan | undefined
  /** undefined while a secret is not there: connections then fail. */
  readonly context: SecureContext | undefined
  /** '' for none. */
  readonly serverName: string
  readonly alpnProtocols: readonly string[]
  /** While a secret is not there only its names are known. */
  readonly peer: PeerCheckPlan
  /** Servers that ask for a certificate are shown one. */
  readonly showsCertificate: boolean
  /** Of HttpProtocolOptions: the name asked for is the request's host, when `serverName` is ''. */
  readonly autoSni: boolean
  /** Of HttpProtocolOptions: the certificate must be for the name asked for. */
  readonly autoSanValidation: boolean
  /** Sessions kept for each name; 0 turns resumption off. */
  readonly maxSessionKeys: number
}
