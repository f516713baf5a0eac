import { createHmac, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto'

/** Keys and tokens for tests: well-made ones, and all sorts of others. */

export type SigningAlg =
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'HS256'
  | 'HS384'
  | 'HS512'

export interface SigningKey {
  readonly kid: string
  readonly alg: SigningAlg
  readonly secret: KeyObject | Buffer
  /** As it stands in a key set: `kid`, and `alg` where asked for. */
  readonly jwk: JsonWebKey & { kid?: string; alg?: string; k?: string }
}

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const

export function makeKey(kid: string, alg: SigningAlg, fields: object = { kid, alg }): SigningKey {
  if (alg.startsWith('HS')) {
    const secret = Buffer.from(`a secret of ${kid} that is long enough for every algorithm there is, 64 bytes`)
    return { kid, alg, secret, jwk: { kty: 'oct', k: secret.toString('base64url'), ...fields } }
  }
  const pair =
    alg === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : alg.startsWith('ES')
        ? generateKeyPairSync('ec', { namedCurve: CURVES[alg as keyof typeof CURVES] })
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { kid, alg, secret: pair.privateKey, jwk: { ...pair.publicKey.export({ format: 'jwk' }), ...fields } }
}

export function keySetOf(keys: readonly SigningKey[]): string {
  return JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })
}

export function publicPem({ secret }: SigningKey): Buffer {
  return Buffer.from(createPublicKey(secret as KeyObject).export({ type: 'spki', format: 'pem' }))
}

export const base64url = (text: string | Buffer) => Buffer.from(text).toString('base64url')

/** Header and payload as text or as what is to be JSON; signed as the key says. */
export function makeToken(key: SigningKey, payload: object | string, header: object | string = headerOf(key)): string {
  const text = (part: object | string) => (typeof part === 'string' ? part : JSON.stringify(part))
  const input = `${base64url(text(header))}.${base64url(text(payload))}`
  return `${input}.${base64url(signatureOf(key, input))}`
}

export function headerOf({ kid, alg }: SigningKey): object {
  return { alg, kid, typ: 'JWT' }
}

function signatureOf({ alg, secret }: SigningKey, input: string): Buffer {
  const hash = `sha${alg.slice(2)}`
  if (Buffer.isBuffer(secret)) return createHmac(hash, secret).update(input).digest()
  const data = Buffer.from(input)
  if (alg === 'EdDSA') return sign(null, data, secret)
  if (alg.startsWith('ES')) return sign(hash, data, { key: secret, dsaEncoding: 'ieee-p1363' })
  // 6 is RSA_PKCS1_PSS_PADDING, 1 RSA_PKCS1_PADDING.
  return sign(hash, data, {
    key: secret,
    padding: alg.startsWith('PS') ? 6 : 1,
    ...(alg.startsWith('PS') && { saltLength: -1 }),
  })
}

/** The same token with one character of a section changed. 0 is the header, 1 the payload, 2 the signature. */
export function tampered(token: string, section: 0 | 1 | 2): string {
  const parts = token.split('.')
  const part = parts[section] as string
  const at = Math.floor(part.length / 2)
  parts[section] = `${part.slice(0, at)}${part[at] === 'A' ? 'B' : 'A'}${part.slice(at + 1)}`
  return parts.join('.')
}
