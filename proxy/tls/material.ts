import { createHash } from 'node:crypto'
import type { SecureContextOptions, SecureVersion } from 'node:tls'
import { createSecureContext, type SecureContext } from 'node:tls'

/** A certificate chain and its key, PEM; or both as PKCS #12. */
export interface CertificateMaterial {
  /** The file that the chain is in; '' when it is in none. */
  readonly chainPath: string
  readonly chain: Buffer | undefined
  readonly key: Buffer | undefined
  readonly pkcs12: Buffer | undefined
  readonly passphrase: string | undefined
}

/** What a TLS context is made of. */
export interface TlsMaterial {
  readonly certificates: readonly CertificateMaterial[]
  /** PEM; undefined for the roots that come with node. */
  readonly trustedCa: Buffer | undefined
  readonly crl: Buffer | undefined
  readonly minVersion: SecureVersion
  readonly maxVersion: SecureVersion
  /** Empty for the defaults. */
  readonly ciphers: string
  readonly curves: string
  readonly signatureAlgorithms: string
  /** 0 for the default. */
  readonly sessionTimeoutSeconds: number
  readonly hasTickets: boolean
  /** 48 bytes; undefined for keys of the context's own. */
  readonly ticketKeys: Buffer | undefined
}

const SSL_OP_NO_TICKET = 0x4000

/** As node's TLS functions take it. */
export function contextOptions(material: TlsMaterial): SecureContextOptions {
  const { trustedCa, crl, ciphers, curves, signatureAlgorithms, sessionTimeoutSeconds, ticketKeys } = material
  const options: SecureContextOptions & { allowPartialTrustChain: boolean } = {
    ...certificateOptions(material.certificates),
    minVersion: material.minVersion,
    maxVersion: material.maxVersion,
    // Envoy trusts what `trusted_ca` holds, roots or not; node can from 22.9 on.
    allowPartialTrustChain: true,
  }
  if (trustedCa !== undefined) options.ca = trustedCa
  if (crl !== undefined) options.crl = crl
  if (ciphers !== '') options.ciphers = ciphers
  if (curves !== '') options.ecdhCurve = curves
  if (signatureAlgorithms !== '') options.sigalgs = signatureAlgorithms
  if (sessionTimeoutSeconds > 0) options.sessionTimeout = sessionTimeoutSeconds
  if (!material.hasTickets) options.secureOptions = SSL_OP_NO_TICKET
  if (ticketKeys !== undefined) options.ticketKeys = ticketKeys
  return options
}

export function certificateOptions(certificates: readonly CertificateMaterial[]): SecureContextOptions {
  const keyed = certificates.filter((certificate) => certificate.chain !== undefined)
  const packed = certificates.filter((certificate) => certificate.pkcs12 !== undefined)
  const options: SecureContextOptions = {}
  if (keyed.length > 0) {
    options.cert = keyed.map((certificate) => certificate.chain as Buffer)
    options.key = keyed.map(({ key, passphrase }) => ({
      pem: key as Buffer,
      ...(passphrase !== undefined && { passphrase }),
    }))
  }
  if (packed.length > 0) {
    options.pfx = packed.map(({ pkcs12, passphrase }) => ({
      buf: pkcs12 as Buffer,
      ...(passphrase !== undefined && { passphrase }),
    }))
  }
  return options
}

const MAX_CONTEXTS = 256
const contexts = new Map<string, SecureContext>()

/** The context of this material: built once, and shared by all who ask for the same. Throws what OpenSSL says of it. */
export function secureContext(material: TlsMaterial): SecureContext {
  const options = contextOptions(material)
  return shared(contexts, MAX_CONTEXTS, materialKey(options), () => createSecureContext(options))
}

/**
 * SHA-256 of everything in it, keys included. Bytes are read once for each buffer that holds them: when a secret changes, the
 * contexts of a thousand clusters may be made of it.
 */
export function materialKey(options: object): string {
  return createHash('sha256')
    .update(JSON.stringify(withDigests(options)))
    .digest('hex')
}

/** The same with a digest in the place of bytes. */
function withDigests(value: unknown): unknown {
  if (value instanceof Uint8Array) return { sha256: digestOf(value) }
  if (Array.isArray(value)) return value.map(withDigests)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withDigests(inner)]))
}

const digests = new WeakMap<Uint8Array, string>()

function digestOf(bytes: Uint8Array): string {
  let digest = digests.get(bytes)
  if (digest === undefined) {
    digest = createHash('sha256').update(bytes).digest('hex')
    digests.set(bytes, digest)
  }
  return digest
}

/** The value kept under the key, made when there is none; the one that was asked for longest ago makes room. */
export function shared<T>(cache: Map<string, T>, max: number, key: string, create: () => T): T {
  const found = cache.get(key) ?? create()
  cache.delete(key)
  cache.set(key, found)
  if (cache.size > max) cache.delete(cache.keys().next().value as string)
  return found
}
