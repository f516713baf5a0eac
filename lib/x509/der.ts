import forge from 'node-forge'

const { asn1 } = forge
const { Class, Type } = asn1

/** One value of ASN.1 in its distinguished encoding (X.690), as node-forge has it. */
export type Der = forge.asn1.Asn1

/** Deeper nesting than any certificate or request has. */
const MAX_DEPTH = 32

export function encode(value: Der): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1')
}

/** Throws for what is no DER, is nested too deeply, or is followed by anything. */
export function decode(bytes: Buffer): Der {
  const options = { strict: true, parseAllBytes: true, decodeBitStrings: false, maxDepth: MAX_DEPTH }
  return asn1.fromDer(forge.util.createBuffer(bytes.toString('latin1')), options as never)
}

export function sequence(...values: Der[]): Der {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, values)
}

export function set(...values: Der[]): Der {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, values)
}

/** `id` as its numbers joined by dots. */
export function objectId(id: string): Der {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(id).getBytes())
}

/** A whole number of these bytes, most significant first. */
export function integer(bytes: Buffer): Der {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, bytes.toString('latin1'))
}

export function boolean(value: boolean): Der {
  return asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, value ? '\xff' : '\0')
}

export function nothing(): Der {
  return asn1.create(Class.UNIVERSAL, Type.NULL, false, '')
}

export function octets(bytes: Buffer): Der {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes.toString('latin1'))
}

/** Whole bytes, of which the last leaves `unusedBits` out. */
export function bits(bytes: Buffer, unusedBits = 0): Der {
  return asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, String.fromCharCode(unusedBits) + bytes.toString('latin1'))
}

export function utf8(text: string): Der {
  return asn1.create(Class.UNIVERSAL, Type.UTF8, false, Buffer.from(text, 'utf8').toString('latin1'))
}

/** A context-specific tag: around other values, or in the place of a primitive's own. */
export function tagged(tag: number, value: readonly Der[] | Buffer): Der {
  if (Buffer.isBuffer(value)) return asn1.create(Class.CONTEXT_SPECIFIC, tag as never, false, value.toString('latin1'))
  return asn1.create(Class.CONTEXT_SPECIFIC, tag as never, true, [...value])
}

/** UTCTime until 2049, GeneralizedTime from then on (RFC 5280 section 4.1.2.5). */
export function time(epochMs: number): Der {
  const date = new Date(Math.floor(epochMs / 1000) * 1000)
  const isShort = date.getUTCFullYear() < 2050
  const text = isShort ? asn1.dateToUtcTime(date) : asn1.dateToGeneralizedTime(date)
  return asn1.create(Class.UNIVERSAL, isShort ? Type.UTCTIME : Type.GENERALIZEDTIME, false, text as string)
}

/** What is inside a constructed value. Throws for a primitive one. */
export function childrenOf(value: Der | undefined): readonly Der[] {
  if (value === undefined || !Array.isArray(value.value)) throw new Error('a constructed value was expected')
  return value.value
}

/** The content of a primitive value. Throws for a constructed one. */
export function contentOf(value: Der | undefined): Buffer {
  if (value === undefined || typeof value.value !== 'string') throw new Error('a primitive value was expected')
  return Buffer.from(value.value, 'latin1')
}

/** The object identifier as numbers joined by dots. */
export function objectIdOf(value: Der | undefined): string {
  return asn1.derToOid(forge.util.createBuffer(contentOf(value).toString('latin1')))
}

/**
 * The bytes of the first value within a sequence, as they came: what a signature covers must not be encoded anew.
 * The bytes must have been read by `decode` before.
 */
export function firstWithin(bytes: Buffer): Buffer {
  const start = headerBytes(bytes, 0)
  return bytes.subarray(start, start + headerBytes(bytes, start) + contentBytes(bytes, start))
}

/** Of the value at `at`: tag and length. Tags of more than one byte do not come where it is used. */
function headerBytes(bytes: Buffer, at: number): number {
  const first = bytes[at + 1] as number
  return first < 0x80 ? 2 : 2 + (first & 0x7f)
}

function contentBytes(bytes: Buffer, at: number): number {
  const first = bytes[at + 1] as number
  return first < 0x80 ? first : bytes.readUIntBE(at + 2, first & 0x7f)
}
