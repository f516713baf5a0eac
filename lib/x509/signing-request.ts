import { createPublicKey, type KeyObject } from 'node:crypto'
import { errorText, MeshError } from '../errors.ts'
import { bits, childrenOf, contentOf, decode, encode, firstWithin, integer, sequence, tagged } from './der.ts'
import { fromPem, toPem } from './pem.ts'
import { keyProblem, signatureAlgorithm, signBytes, verifyBytes } from './signing.ts'

const LABEL = 'CERTIFICATE REQUEST'
/** As some older tools write it. */
const OLD_LABEL = 'NEW CERTIFICATE REQUEST'
/** A request for an RSA key of 4096 bits has about 1,700. */
const MAX_PEM_BYTES = 16 * 1024

/**
 * A signing request (PKCS #10, RFC 2986) as PEM. It names nobody: whoever signs it knows from the caller's credentials whose it
 * is, and proves by the signature that the caller has the key.
 */
export function makeSigningRequest(privateKey: KeyObject): string {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const info = encode(sequence(integer(Buffer.of(0)), sequence(), decode(publicKey), tagged(0, [])))
  const signature = bits(signBytes(privateKey, info))
  return toPem(LABEL, encode(sequence(decode(info), signatureAlgorithm(privateKey), signature)))
}

/**
 * The public key of a request, once its signature is found to be made by the key's owner. Names and extensions that are asked for
 * are not even read. Throws CSR_INVALID for anything else.
 */
export function readSigningRequest(pem: string): KeyObject {
  if (pem.length > MAX_PEM_BYTES) throw invalid(`it is longer than ${MAX_PEM_BYTES} bytes`)
  const blocks = fromPem(pem, LABEL, OLD_LABEL)
  if (blocks.length !== 1) throw invalid(`it must be one PEM block ${LABEL}, but holds ${blocks.length}`)
  try {
    return verifiedKey(blocks[0] as Buffer)
  } catch (thrown) {
    throw thrown instanceof MeshError ? thrown : invalid(errorText(thrown))
  }
}

function verifiedKey(der: Buffer): KeyObject {
  const [info, algorithm, signature] = childrenOf(decode(der))
  const [, , publicKey] = childrenOf(info)
  if (publicKey === undefined || algorithm === undefined) throw invalid('it has no key or no signature')
  const key = createPublicKey({ key: encode(publicKey), format: 'der', type: 'spki' })
  const problem = keyProblem(key)
  if (problem !== undefined) throw invalid(problem)
  const unused = contentOf(signature)
  if (unused[0] !== 0 || !verifyBytes(key, algorithm, firstWithin(der), unused.subarray(1))) {
    throw invalid('its signature is not of the key that it asks a certificate for')
  }
  return key
}

function invalid(reason: string): MeshError {
  return new MeshError('CSR_INVALID', `the signing request is refused: ${reason}`, { source: 'downstream' })
}
