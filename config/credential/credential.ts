import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { SecretBody } from '../../crds/kinds/secret.ts'
import { errorText } from '../../lib/errors.ts'

/** What a Secret holds of TLS, PEM. None of these texts may come into a message, a log or a page. */
export interface Credential {
  readonly certificate: CertificatePair | undefined
  /** Whom peers' certificates must lead to. */
  readonly roots: string | undefined
  /** Certificates that are not to be believed any more. */
  readonly crl: string | undefined
}

export interface CertificatePair {
  /** The certificate itself first. */
  readonly chain: string
  readonly key: string
}

/**
 * Istio's reading of a Secret (pilot/pkg/credentials/kube): the generic keys `cert`, `key`, `cacert` and `crl` go before Kubernetes'
 * `tls.crt`, `tls.key`, `ca.crt` and `ca.crl`, whatever its type says.
 */
export function readCredential(secret: SecretBody): Credential {
  const read = (key: string) => valueOfKey(secret, key)
  const [cert, key] = [read('cert'), read('key')]
  const isGeneric = cert !== undefined && key !== undefined
  const [chain, privateKey] = isGeneric ? [cert, key] : [read('tls.crt'), read('tls.key')]
  return {
    certificate: chain === undefined || privateKey === undefined ? undefined : { chain, key: privateKey },
    roots: read('cacert') ?? read('ca.crt'),
    crl: isGeneric ? (read('crl') ?? read('ca.crl')) : (read('ca.crl') ?? read('crl')),
  }
}

/** undefined for a key that is not there, or is empty. */
function valueOfKey({ data = {}, stringData = {} }: SecretBody, key: string): string | undefined {
  const encoded = data[key]
  const text = stringData[key] ?? (encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8'))
  return text === undefined || text.trim() === '' ? undefined : text
}

/** Why a certificate cannot be shown by anyone; '' when it can be. */
export function certificateProblem({ certificate }: Credential): string {
  if (certificate === undefined) return 'has no tls.crt with tls.key, and no cert with key'
  try {
    const leaf = new X509Certificate(certificate.chain)
    const key = createPrivateKey(certificate.key)
    return leaf.checkPrivateKey(key) ? '' : 'its key belongs to another certificate'
  } catch (thrown) {
    return `its certificate or key cannot be read: ${errorText(thrown)}`
  }
}

/** Why nobody's certificate can be judged by the roots; '' when they can be. */
export function rootsProblem({ roots }: Credential): string {
  if (roots === undefined) return 'has no ca.crt and no cacert'
  const found = certificatesIn(roots)
  if (found.length === 0) return 'its ca.crt holds no certificate in PEM'
  try {
    for (const pem of found) new X509Certificate(pem)
    return ''
  } catch (thrown) {
    return `its ca.crt cannot be read: ${errorText(thrown)}`
  }
}

/** When a certificate that can be read is valid, in ms since 1970. */
export function lifeOfCertificate(pem: string): { readonly startMs: number; readonly endMs: number } {
  const { validFrom, validTo } = new X509Certificate(pem)
  return { startMs: Date.parse(validFrom), endMs: Date.parse(validTo) }
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

export function certificatesIn(pem: string): readonly string[] {
  return pem.match(PEM) ?? []
}
