import type { CertificateMaterial } from '../tls/material.ts'
import type { FromFiles } from './files.ts'
import { refuse } from './plan-error.ts'
import type { SanMatcherPlan } from './tls-plan.ts'

/** A reference to a secret (envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig). */
export interface SecretRef {
  /** Of one secret from one source: what the secrets of a Plan are found by. */
  readonly key: string
  readonly name: string
  readonly kind: SecretKind
  readonly source: SecretSource
  /** How long it is waited for (`initial_fetch_timeout`); 0 for ever. */
  readonly fetchTimeoutMs: number
  /** The field that refers to it, within its resource. */
  readonly path: string
}

/** Where a reference says that its secret comes from. */
export type SecretSource =
  /** `static_resources.secrets` of the bootstrap. */
  | { readonly kind: 'static' }
  /** The stream that everything else comes by. */
  | { readonly kind: 'ads' }
  /** A stream for secrets only, to the management server behind a static cluster. */
  | { readonly kind: 'grpc'; readonly cluster: string; readonly useDelta: boolean }
  /** It stands in what refers to it, and names files: it is there at once, and changes with them. */
  | { readonly kind: 'file'; readonly secret: SecretPlan }
  /** Nothing that is served: only a secret of this process may answer. */
  | { readonly kind: 'refused'; readonly path: string; readonly reason: string }

/** envoy.extensions.transport_sockets.tls.v3.Secret. */
export type SecretPlan = {
  readonly name: string
  /** Fields that were given and are not honoured, by their path. */
  readonly ignored: readonly string[]
  /** undefined when it names no files. */
  readonly files: FromFiles<SecretPlan> | undefined
} & (
  | { readonly kind: 'tls_certificate'; readonly certificate: CertificateMaterial }
  | { readonly kind: 'validation_context'; readonly validation: ValidationPlan }
  /** `ticketKeys`: 48 bytes, as node's TLS takes them. */
  | { readonly kind: 'session_ticket_keys'; readonly ticketKeys: Buffer }
)

export type SecretKind = SecretPlan['kind']

/** Secrets of a list of references, in its order; undefined for those that are not there. */
export type FoundSecrets = readonly (SecretPlan | undefined)[]

/** CertificateValidationContext, before one is laid over another. */
export interface ValidationPlan {
  /** PEM. */
  readonly trustedCa: Buffer | undefined
  /** The file that it is in; '' when it is in none. */
  readonly trustedCaPath: string
  readonly usesSystemRoots: boolean
  /** PEM. */
  readonly crl: Buffer | undefined
  readonly names: readonly SanMatcherPlan[]
  readonly certificateHashes: readonly string[]
  readonly keyHashes: readonly string[]
  /** Whoever fails the check is let in all the same. */
  readonly acceptsUntrusted: boolean
}

/** Secrets by the key of their references. */
export type Secrets = ReadonlyMap<string, SecretPlan>

export const NO_SECRETS: Secrets = new Map()

/**
 * What is made of secrets that come apart, and change, while what refers to them stays: made at once when it needs none,
 * else anew when one of them changed.
 */
export class BySecrets<T> {
  readonly needs: readonly SecretRef[]
  /** Not kept when there is nothing to make anew. */
  readonly #make: ((secrets: readonly SecretPlan[] | undefined) => T) | undefined
  readonly #checkPart: (found: FoundSecrets) => void
  #found: FoundSecrets
  #made: T

  /**
   * @param make is given undefined while one of `needs` is not there, and throws a PlanError when they do not fit
   * @param checkPart throws a PlanError when those that are there do not fit, whatever the others will be
   */
  constructor(
    needs: readonly SecretRef[],
    make: (secrets: readonly SecretPlan[] | undefined) => T,
    checkPart: (found: FoundSecrets) => void = () => {},
  ) {
    this.needs = needs
    this.#checkPart = checkPart
    this.#make = needs.length === 0 ? undefined : make
    this.#found = this.#find(NO_SECRETS)
    this.#made = make(whole(this.#found))
  }

  /** What of() gave last. */
  get latest(): T {
    return this.#made
  }

  /** The very same object for the same secrets. Throws a PlanError when one does not fit: see check(). */
  of(secrets: Secrets): T {
    const { needs } = this
    const make = this.#make
    if (make === undefined) return this.#made
    for (let i = 0; i < needs.length; i++) {
      if (secretFor(needs[i] as SecretRef, secrets) === this.#found[i]) continue
      const found = this.#find(secrets)
      this.#made = make(whole(found))
      this.#found = found
      break
    }
    return this.#made
  }

  /** Throws a PlanError when what is there of the secrets does not fit. Nothing changes. */
  check(secrets: Secrets): void {
    if (this.#make === undefined) return
    const found = this.#find(secrets)
    for (const [i, { kind, path }] of this.needs.entries()) {
      const secret = found[i]
      if (secret === undefined || secret.kind === kind) continue
      refuse(path, `secret ${secret.name} is a ${secret.kind}, a ${kind} is needed`)
    }
    // Whoever comes first is told of what is wrong with it, and not whoever comes last.
    this.#checkPart(found)
    this.#make(whole(found))
  }

  #find(secrets: Secrets): FoundSecrets {
    return this.needs.map((ref) => secretFor(ref, secrets))
  }
}

function secretFor({ key, source }: SecretRef, secrets: Secrets): SecretPlan | undefined {
  return secrets.get(key) ?? (source.kind === 'file' ? source.secret : undefined)
}

function whole(found: FoundSecrets): readonly SecretPlan[] | undefined {
  return found.includes(undefined) ? undefined : (found as readonly SecretPlan[])
}
