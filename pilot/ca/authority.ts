import { type KeyObject, randomBytes, type X509Certificate } from 'node:crypto'
import { formatSpiffeId, type SpiffeId } from '../../api/spiffe.ts'
import type { Clock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import { type CertificateName, type CertificateSpec, makeCertificate } from '../../lib/x509/certificate.ts'
import { readSigningRequest } from '../../lib/x509/signing-request.ts'
import { type AuthorityMaterial, SKEW_MS } from './material.ts'

const SERIAL_BYTES = 16
const HOUR_MS = 3_600_000
/** Istio's DEFAULT_WORKLOAD_CERT_TTL and MAX_WORKLOAD_CERT_TTL. */
export const DEFAULT_TTL_MS = 24 * HOUR_MS
export const MAX_TTL_MS = 90 * 24 * HOUR_MS

export interface AuthorityOptions {
  readonly material: AuthorityMaterial
  /** Signs the certificate of our own server, when another does than signs those of workloads. */
  readonly serverMaterial?: AuthorityMaterial | undefined
  readonly clock: Clock
  readonly defaultTtlMs?: number
  readonly maxTtlMs?: number
}

/** Signs certificates. Who may have which is decided before: a request says nothing here but its key. */
export class CertificateAuthority {
  readonly #clock: Clock
  readonly #defaultTtlMs: number
  readonly #maxTtlMs: number
  #material: AuthorityMaterial
  #serverMaterial: AuthorityMaterial

  constructor(options: AuthorityOptions) {
    this.#material = options.material
    this.#serverMaterial = options.serverMaterial ?? options.material
    this.#clock = options.clock
    this.#defaultTtlMs = options.defaultTtlMs ?? DEFAULT_TTL_MS
    this.#maxTtlMs = options.maxTtlMs ?? MAX_TTL_MS
  }

  get material(): AuthorityMaterial {
    return this.#material
  }

  /** Roots that peers of this mesh are to be trusted by, PEM. */
  get roots(): string {
    return this.#material.roots
  }

  /** Signs by others from now on. */
  replace(material: AuthorityMaterial, serverMaterial: AuthorityMaterial = material): void {
    this.#material = material
    this.#serverMaterial = serverMaterial
  }

  /**
   * A workload's certificate, PEM, followed by what leads to the root and the root. `ttlMs` 0 asks for the default; the life ends
   * with the issuer's at the latest. Throws CSR_INVALID, TTL_REFUSED, CA_EXPIRED.
   */
  signWorkload(csr: string, identity: SpiffeId, ttlMs: number): readonly string[] {
    const key = readSigningRequest(csr)
    if (ttlMs < 0 || ttlMs > this.#maxTtlMs) {
      const most = `${this.#maxTtlMs / 1000} s`
      throw new MeshError('TTL_REFUSED', `a life of ${ttlMs / 1000} s was asked for; at most ${most} can be had`, {
        source: 'downstream',
      })
    }
    const names = [{ type: 'uri', value: formatSpiffeId(identity) }] as const
    return this.#sign(this.#material, { publicKey: key, names }, ttlMs || this.#defaultTtlMs)
  }

  /** A server's certificate for a key of our own: no workload of the mesh takes it for another's. */
  signServer(publicKey: KeyObject, names: readonly CertificateName[], ttlMs: number): readonly string[] {
    return this.#sign(this.#serverMaterial, { publicKey, names, roles: ['server'] }, ttlMs)
  }

  #sign(
    { certificate, key, chain, roots }: AuthorityMaterial,
    subject: Pick<CertificateSpec, 'publicKey' | 'names' | 'roles'>,
    ttlMs: number,
  ): readonly string[] {
    const nowMs = this.#clock.wallMs()
    const issuerEndMs = lifeOf(certificate).endMs
    if (nowMs >= issuerEndMs) {
      throw new MeshError(
        'CA_EXPIRED',
        `the authority's own certificate ended ${certificate.validTo}; give it another`,
        {
          source: 'local',
        },
      )
    }
    const leaf = makeCertificate(
      {
        ...subject,
        organization: '',
        isAuthority: false,
        notBeforeMs: Math.max(nowMs - SKEW_MS, lifeOf(certificate).startMs),
        notAfterMs: Math.min(nowMs + ttlMs, issuerEndMs),
        serial: randomBytes(SERIAL_BYTES),
      },
      { certificate, key },
    )
    return [leaf, ...chain, roots]
  }
}

/** When a certificate begins and ends to be valid. */
export function lifeOf(certificate: X509Certificate): { readonly startMs: number; readonly endMs: number } {
  return { startMs: Date.parse(certificate.validFrom), endMs: Date.parse(certificate.validTo) }
}
