import { createLocalJWKSet, decodeProtectedHeader, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { type SpiffeId, spiffeId } from '../../api/spiffe.ts'
import type { Clock } from '../../lib/clock.ts'
import { errorText, MeshError } from '../../lib/errors.ts'
import type { CallerCheck } from './callers.ts'

/** What Kubernetes signs with. No symmetric ones: whoever can check could sign. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512']
const SKEW_SECONDS = 30

export interface ServiceAccountTokenOptions {
  /** The keys that the cluster signs service accounts' tokens with. */
  readonly keys: JSONWebKeySet
  readonly issuer: string
  /** One of these must be among the token's (Istio's is `istio-ca`). */
  readonly audiences: readonly string[]
  readonly trustDomain: string
  readonly clock: Clock
}

/** Kubernetes' tokens of service accounts: JWTs bound to an audience and a time, checked by the cluster's public keys. */
export class ServiceAccountTokens implements CallerCheck {
  readonly #options: ServiceAccountTokenOptions
  readonly #keys

  constructor(options: ServiceAccountTokenOptions) {
    this.#options = options
    this.#keys = createLocalJWKSet(options.keys)
  }

  async identify(token: string): Promise<SpiffeId | undefined> {
    if (!looksLikeJwt(token)) return undefined
    const { issuer, audiences, clock, trustDomain } = this.#options
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        issuer,
        audience: [...audiences],
        algorithms: ALGORITHMS,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(clock.wallMs()),
      })
      return identityOf(payload, trustDomain)
    } catch (thrown) {
      throw thrown instanceof MeshError ? thrown : refused(reasonOf(thrown))
    }
  }
}

function looksLikeJwt(token: string): boolean {
  try {
    decodeProtectedHeader(token)
    return true
  } catch {
    return false
  }
}

/** `system:serviceaccount:<namespace>:<name>`; the claim beside it must not say otherwise. */
function identityOf({ sub, 'kubernetes.io': claim }: JWTPayload, trustDomain: string): SpiffeId {
  const [system, kind, namespace = '', name = '', ...rest] = (sub ?? '').split(':')
  const identity = spiffeId(trustDomain, namespace, name)
  if (system !== 'system' || kind !== 'serviceaccount' || rest.length > 0 || identity === undefined) {
    throw refused('its subject is no service account')
  }
  const bound = claim as { namespace?: unknown; serviceaccount?: { name?: unknown } } | undefined
  const differs =
    (bound?.namespace !== undefined && bound.namespace !== namespace) ||
    (bound?.serviceaccount?.name !== undefined && bound.serviceaccount.name !== name)
  if (differs) throw refused('its subject and its claim kubernetes.io differ')
  return identity
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof errors.JWTExpired) return 'it has expired'
  if (thrown instanceof errors.JWKSNoMatchingKey) return 'it is signed by a key that is not known'
  return errorText(thrown)
}

function refused(reason: string): MeshError {
  return new MeshError('TOKEN_REFUSED', `the token is refused: ${reason}`, { source: 'downstream' })
}
