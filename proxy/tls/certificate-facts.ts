import { createHash, X509Certificate } from 'node:crypto'
import { type AltName, parseAltNames } from './alt-names.ts'

/** What a certificate says. */
export interface CertificateFacts {
  readonly altNames: readonly AltName[]
  /** The URIs among the names. */
  readonly uris: readonly string[]
  /** The first of them, such as `spiffe://cluster.local/ns/a/sa/b`; '' when there is none. */
  readonly uri: string
  /** As RFC 2253 writes it, the most specific part first. */
  readonly subject: string
  /** DER. */
  readonly raw: Buffer
  /** SHA-256 of the certificate, as 64 lower-case hex digits. */
  readonly certificateHash: string
  /** SHA-256 of the SubjectPublicKeyInfo, as base64 (RFC 7469 section 2.4). */
  readonly keyHash: string
  readonly validToMs: number
}

/** The same certificates are shown again and again, and to read one takes OpenSSL as long as half a handshake. */
const MAX_REMEMBERED = 1024
const remembered = new Map<string, CertificateFacts>()

/** Of a certificate as DER, which OpenSSL has taken. */
export function factsOfDer(raw: Buffer): CertificateFacts {
  const key = raw.toString('latin1')
  return remembered.get(key) ?? remember(key, new X509Certificate(raw))
}

/** Of the certificate of a connection. */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  const key = certificate.raw.toString('latin1')
  return remembered.get(key) ?? remember(key, certificate)
}

function remember(key: string, certificate: X509Certificate): CertificateFacts {
  if (remembered.size >= MAX_REMEMBERED) {
    // The one that was read first: what is still shown comes back.
    for (const oldest of remembered.keys()) {
      remembered.delete(oldest)
      break
    }
  }
  const facts = read(certificate)
  remembered.set(key, facts)
  return facts
}

function read(certificate: X509Certificate): CertificateFacts {
  const { raw, subject, validTo } = certificate
  const altNames = parseAltNames(certificate.subjectAltName)
  const uris = altNames.filter(({ type }) => type === 'uri').map(({ value }) => value)
  return {
    altNames,
    uris,
    uri: uris[0] ?? '',
    subject: subjectText(subject),
    raw,
    certificateHash: createHash('sha256').update(raw).digest('hex'),
    keyHash: createHash('sha256')
      .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64'),
    validToMs: Date.parse(validTo),
  }
}

/** From a line for each part, escaped already but for what is no ASCII. An empty subject is undefined. */
function subjectText(lines: string | undefined): string {
  const parts = (lines ?? '').split('\n').reverse()
  return parts
    .join(',')
    .replace(/[^\0-\x7f]/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `\\${byte.toString(16).toUpperCase()}`).join(''),
    )
}
