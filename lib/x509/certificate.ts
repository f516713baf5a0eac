import { createHash, type KeyObject, type X509Certificate } from 'node:crypto'
import {
  bits,
  boolean,
  childrenOf,
  contentOf,
  type Der,
  decode,
  encode,
  integer,
  objectId,
  octets,
  sequence,
  set,
  tagged,
  time,
  utf8,
} from './der.ts'
import { toPem } from './pem.ts'
import { signatureAlgorithm, signBytes } from './signing.ts'

/** A name that a certificate is for (RFC 5280 section 4.2.1.6). */
export interface CertificateName {
  readonly type: 'uri' | 'dns' | 'ip'
  /** An address as its bytes: `ipBytes`. */
  readonly value: string | Buffer
}

export interface CertificateSpec {
  readonly publicKey: KeyObject
  /** The organization of the subject; '' for an empty subject, whose names then are critical. */
  readonly organization: string
  readonly names: readonly CertificateName[]
  readonly isAuthority: boolean
  /** What a certificate that is no authority's may be shown as; both when it does not say. */
  readonly roles?: readonly ('server' | 'client')[]
  /** How many authorities may follow one that is an authority; undefined for any number. */
  readonly pathLength?: number
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** At least one byte that is not 0. */
  readonly serial: Buffer
}

/** Who signs; undefined signs with its own key what is for that key. */
export interface CertificateSigner {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

const ID = {
  organization: '2.5.4.10',
  subjectKeyId: '2.5.29.14',
  keyUsage: '2.5.29.15',
  altName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyId: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** Bits of KeyUsage from the left: digitalSignature and keyEncipherment; keyCertSign and cRLSign. */
const LEAF_USAGE = { byte: 0xa0, unused: 5 }
const AUTHORITY_USAGE = { byte: 0x06, unused: 1 }
const MAX_SERIAL_BYTES = 20

/** An X.509 certificate (RFC 5280) as PEM. `signingKey` is the signer's, or its own when it signs itself. */
export function makeCertificate(spec: CertificateSpec, signer: CertificateSigner | { key: KeyObject }): string {
  const issuer = 'certificate' in signer ? subjectOf(signer.certificate) : nameOf(spec.organization)
  const authorityKeyId = 'certificate' in signer ? keyIdOf(signer.certificate) : keyId(spec.publicKey)
  const algorithm = signatureAlgorithm(signer.key)
  const body = encode(
    sequence(
      tagged(0, [integer(Buffer.of(2))]),
      integer(positive(spec.serial)),
      algorithm,
      issuer,
      sequence(time(spec.notBeforeMs), time(spec.notAfterMs)),
      nameOf(spec.organization),
      decode(spkiOf(spec.publicKey)),
      tagged(3, [sequence(...extensionsOf(spec, authorityKeyId))]),
    ),
  )
  return toPem('CERTIFICATE', encode(sequence(decode(body), algorithm, bits(signBytes(signer.key, body)))))
}

function extensionsOf(spec: CertificateSpec, authorityKeyId: Buffer): Der[] {
  const { isAuthority, names, pathLength } = spec
  const usage = isAuthority ? AUTHORITY_USAGE : LEAF_USAGE
  const depth = isAuthority && pathLength !== undefined ? [integer(Buffer.of(pathLength))] : []
  const extensions = [
    extension(ID.basicConstraints, true, sequence(...(isAuthority ? [boolean(true), ...depth] : []))),
    extension(ID.keyUsage, true, bits(Buffer.of(usage.byte), usage.unused)),
    extension(ID.subjectKeyId, false, octets(keyId(spec.publicKey))),
    extension(ID.authorityKeyId, false, sequence(tagged(0, authorityKeyId))),
  ]
  if (!isAuthority) {
    const uses = (spec.roles ?? ['server', 'client']).map((role) => objectId(ID[`${role}Auth`]))
    extensions.push(extension(ID.extendedKeyUsage, false, sequence(...uses)))
  }
  if (names.length > 0) {
    extensions.push(extension(ID.altName, spec.organization === '', sequence(...names.map(generalName))))
  }
  return extensions
}

function extension(id: string, isCritical: boolean, value: Der): Der {
  return sequence(objectId(id), ...(isCritical ? [boolean(true)] : []), octets(encode(value)))
}

/** GeneralName: dNSName is 2, uniformResourceIdentifier 6, iPAddress 7. */
function generalName({ type, value }: CertificateName): Der {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value
  return tagged({ dns: 2, uri: 6, ip: 7 }[type], bytes)
}

function nameOf(organization: string): Der {
  return organization === '' ? sequence() : sequence(set(sequence(objectId(ID.organization), utf8(organization))))
}

/** Not over 20 bytes, and positive (RFC 5280 section 4.1.2.2). */
function positive(serial: Buffer): Buffer {
  const bytes = Buffer.from(serial.subarray(0, MAX_SERIAL_BYTES))
  bytes[0] = ((bytes[0] as number) & 0x7f) | 0x40
  return bytes
}

function spkiOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: 'spki', format: 'der' })
}

/** SHA-1 of the key's bits (RFC 5280 section 4.2.1.2): a name for it, which protects nothing. */
function keyId(publicKey: KeyObject): Buffer {
  const [, key] = childrenOf(decode(spkiOf(publicKey)))
  return createHash('sha1').update(contentOf(key).subarray(1)).digest()
}

/** Its own SubjectKeyIdentifier, so that chains are found by it whoever made it. */
function keyIdOf(certificate: X509Certificate): Buffer {
  for (const value of extensionsIn(certificate)) {
    const parts = childrenOf(value)
    if (encode(parts[0] as Der).equals(encode(objectId(ID.subjectKeyId)))) {
      return contentOf(decode(contentOf(parts[parts.length - 1])))
    }
  }
  return keyId(certificate.publicKey)
}

function extensionsIn(certificate: X509Certificate): readonly Der[] {
  const [body] = childrenOf(decode(certificate.raw))
  const fields = childrenOf(body)
  const last = fields[fields.length - 1]
  // The extensions are tagged 3, the only context-specific tag that ends a certificate of version 3.
  return (last?.type as number) === 3 && last?.tagClass !== 0 ? childrenOf(childrenOf(last)[0]) : []
}

/** The subject as it stands in the certificate, to be written as the issuer to the last byte. */
function subjectOf(certificate: X509Certificate): Der {
  const [body] = childrenOf(decode(certificate.raw))
  const fields = childrenOf(body)
  // Version, serial, algorithm, issuer, validity, subject; certificates of version 1 have no first one.
  return fields[fields[0]?.tagClass === 0 ? 4 : 5] as Der
}
