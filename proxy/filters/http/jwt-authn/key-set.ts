import type { importJWK, JWK } from 'jose'
import { JWT_STATUS, type JwtStatus } from './status.ts'
import type { Jwt } from './token.ts'

/** No issuer has near as many keys, or as long a set. */
export const MAX_KEYS = 100
export const MAX_KEY_SET_BYTES = 256 * 1024

/** The algorithms that a key may be used for; a key of one sort is never tried for another's, whatever the token says. */
const EC_ALGORITHM: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }
const FITS: Readonly<Record<string, RegExp>> = { RSA: /^[RP]S/, EC: /^ES/, OKP: /^EdDSA$/, oct: /^HS/ }

const ED25519_SIGNATURE_BYTES = 64

let library: Promise<typeof import('jose')> | undefined

/** Loaded with the first key set, before there is a token: 46 modules, and with them the Web Crypto API. */
function jose(): Promise<typeof import('jose')> {
  if (library === undefined) library = import('jose')
  return library
}

type ImportedKey = Awaited<ReturnType<typeof importJWK>>

interface Key {
  readonly jwk: JWK
  /** '' when the set gives none. */
  readonly kid: string
  /** As the set says; '' when it does not. */
  readonly alg: string
  /** The one algorithm that its curve can do; '' where there are several. */
  readonly onlyAlg: string
  /** By algorithm: what is imported is for one. */
  readonly imported: Map<string, Promise<ImportedKey>>
}

/** A JSON Web Key Set (RFC 7517): the keys of it that can check a signature. */
export class KeySet {
  readonly #keys: readonly Key[]

  private constructor(keys: readonly Key[]) {
    this.#keys = keys
  }

  /** undefined when the text is no key set, has no usable key, or is beyond the limits. */
  static parse(text: string): KeySet | undefined {
    if (text.length > MAX_KEY_SET_BYTES) return undefined
    let set: unknown
    try {
      set = JSON.parse(text)
    } catch {
      return undefined
    }
    const list = (set as { keys?: unknown } | null)?.keys
    if (!Array.isArray(list) || list.length > MAX_KEYS) return undefined
    const keys = list.flatMap((jwk) => keyOf(jwk) ?? [])
    if (keys.length === 0) return undefined
    void jose()
    return new KeySet(keys)
  }

  /** Whether some key may have signed the token, by the names and algorithms of both. */
  hasCandidate(jwt: Jwt): boolean {
    return this.#keys.some((key) => mayHaveSigned(key, jwt))
  }

  /** Whether one of the keys has signed the token. Never throws. */
  async verify(jwt: Jwt): Promise<JwtStatus> {
    const candidates = this.#keys.filter((key) => mayHaveSigned(key, jwt))
    if (candidates.length === 0) return JWT_STATUS.noMatchingKey
    const [header = '', payload = '', signature = ''] = jwt.text.split('.')
    for (const key of candidates) {
      if (key.jwk.kty === 'OKP' && Buffer.from(signature, 'base64url').length !== ED25519_SIGNATURE_BYTES) {
        return JWT_STATUS.ed25519WrongLength
      }
      if (!isFor(key, jwt.alg)) continue
      try {
        const imported = await importFor(key, jwt.alg)
        const { flattenedVerify } = await jose()
        await flattenedVerify({ protected: header, payload, signature }, imported, { algorithms: [jwt.alg] })
        return JWT_STATUS.ok
      } catch {
        // Another key may fit.
      }
    }
    return JWT_STATUS.verificationFailed
  }
}

function mayHaveSigned(key: Key, jwt: Jwt): boolean {
  if (jwt.kid !== '' && key.kid !== '' && key.kid !== jwt.kid) return false
  return key.alg === '' || key.alg === jwt.alg
}

function isFor({ jwk, onlyAlg }: Key, alg: string): boolean {
  return FITS[jwk.kty ?? '']?.test(alg) === true && (onlyAlg === '' || onlyAlg === alg)
}

function importFor(key: Key, alg: string): Promise<ImportedKey> {
  let imported = key.imported.get(alg)
  if (imported === undefined) {
    imported = jose().then(({ importJWK }) => importJWK(key.jwk, alg))
    key.imported.set(alg, imported)
  }
  return imported
}

/** undefined for what is no key that could check a signature. */
function keyOf(value: unknown): Key | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const jwk = value as JWK
  const { kty, kid = '', alg = '', use = 'sig' } = jwk
  if (typeof kty !== 'string' || typeof kid !== 'string' || typeof alg !== 'string' || use !== 'sig') return undefined
  const fits = FITS[kty]
  if (fits === undefined || (alg !== '' && !fits.test(alg))) return undefined
  // Only the public half of a key is ever needed.
  const { d: _private, key_ops: _operations, ...rest } = jwk
  const key = { jwk: kty === 'oct' ? jwk : rest, kid, alg, onlyAlg: '', imported: new Map() }
  if (kty !== 'EC') return key
  const ofCurve = EC_ALGORITHM[jwk.crv ?? '']
  return ofCurve === undefined || (alg !== '' && alg !== ofCurve) ? undefined : { ...key, onlyAlg: ofCurve }
}
