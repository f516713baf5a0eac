import { type KeyObject, sign, verify } from 'node:crypto'
import { type Der, nothing, objectId, objectIdOf, sequence } from './der.ts'

interface Algorithm {
  readonly id: string
  readonly hash: string
  readonly keyType: 'ec' | 'rsa'
}

/** RFC 5758 section 3.2, RFC 8017 appendix A.2.4. Nothing that is weaker is made or taken. */
const ALGORITHMS: readonly Algorithm[] = [
  { id: '1.2.840.10045.4.3.2', hash: 'sha256', keyType: 'ec' },
  { id: '1.2.840.10045.4.3.3', hash: 'sha384', keyType: 'ec' },
  { id: '1.2.840.10045.4.3.4', hash: 'sha512', keyType: 'ec' },
  { id: '1.2.840.113549.1.1.11', hash: 'sha256', keyType: 'rsa' },
  { id: '1.2.840.113549.1.1.12', hash: 'sha384', keyType: 'rsa' },
  { id: '1.2.840.113549.1.1.13', hash: 'sha512', keyType: 'rsa' },
]

const CURVES: Readonly<Record<string, string>> = { prime256v1: 'sha256', secp384r1: 'sha384' }
const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 4096

/** Why a key is none that certificates are made with or for; undefined for one that is: P-256, P-384, or RSA of 2048 to 4096 bits. */
export function keyProblem(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'ec') {
    return (details?.namedCurve ?? '') in CURVES ? undefined : `curve ${details?.namedCurve} is neither P-256 nor P-384`
  }
  if (type !== 'rsa') return `${type} keys are not taken`
  const bits = details?.modulusLength ?? 0
  return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS ? undefined : `an RSA key of ${bits} bits is not taken`
}

/** The algorithm that this private key signs with. The key must have no problem. */
function algorithmOf(key: KeyObject): Algorithm {
  const hash = key.asymmetricKeyType === 'ec' ? CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''] : 'sha256'
  const found = ALGORITHMS.find((known) => known.keyType === key.asymmetricKeyType && known.hash === hash)
  if (found === undefined) throw new Error(keyProblem(key) ?? 'no algorithm for this key')
  return found
}

/** AlgorithmIdentifier of what `signBytes` makes with the key. */
export function signatureAlgorithm(key: KeyObject): Der {
  const { id, keyType } = algorithmOf(key)
  // RFC 5758: for ECDSA the parameters are left out; RFC 4055: for RSA they are NULL.
  return keyType === 'rsa' ? sequence(objectId(id), nothing()) : sequence(objectId(id))
}

export function signBytes(key: KeyObject, bytes: Buffer): Buffer {
  return sign(algorithmOf(key).hash, bytes, key)
}

/** Whether the signature by this AlgorithmIdentifier's algorithm is the key's. False for algorithms that are not taken. */
export function verifyBytes(key: KeyObject, algorithm: Der, bytes: Buffer, signature: Buffer): boolean {
  const [id] = algorithm.value as Der[]
  const found = ALGORITHMS.find((known) => known.id === objectIdOf(id))
  if (found === undefined || found.keyType !== key.asymmetricKeyType) return false
  return verify(found.hash, bytes, key, signature)
}
