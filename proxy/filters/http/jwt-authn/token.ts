import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { JWT_STATUS, type JwtStatus } from './status.ts'

/** What may sign a token. `none` is not among them, whatever its spelling. */
const ALGORITHMS = new Set('ES256 ES384 ES512 HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 EdDSA'.split(' '))
const BASE64URL = /^[A-Za-z0-9_-]+$/
const BLANK = /[ \t]/
const BLANKS = /[ \t]/g
const MAX_UINT64 = 2 ** 64

/** A token that is well-formed; nothing is said of its signature. */
export interface Jwt {
  readonly text: string
  readonly alg: string
  /** '' when the token names no key. */
  readonly kid: string
  readonly header: JsonObject
  readonly payload: JsonObject
  /** The middle section as it came. */
  readonly payloadText: string
  /** '' when there is none. */
  readonly issuer: string
  readonly audiences: readonly string[]
  /** There are blanks in it. What it says can be read, but nobody signs such a text. */
  readonly hasBlanks: boolean
  /** Seconds since the epoch; 0 when there is none. */
  readonly notBefore: number
  readonly expires: number
}

/**
 * Reads a token (RFC 7519; RFC 7515 section 7.1) in the order in which Envoy does, so that what is wrong with it first is said
 * in the same words.
 */
export function parseJwt(text: string): Jwt | JwtStatus {
  const hasBlanks = BLANK.test(text)
  const parsed = parseSections(text, hasBlanks ? text.replaceAll(BLANKS, '') : text)
  return typeof parsed === 'string' ? parsed : { ...parsed, hasBlanks }
}

function parseSections(text: string, sections: string): Omit<Jwt, 'hasBlanks'> | JwtStatus {
  const [headerText = '', payloadText = '', signatureText = '', ...more] = sections.split('.')
  if (headerText === '' || payloadText === '' || signatureText === '' || more.length > 0) return JWT_STATUS.badFormat
  if (!isBase64Url(headerText)) return JWT_STATUS.headerBadBase64
  const header = objectOf(headerText)
  if (header === undefined) return JWT_STATUS.headerBadJson
  const alg = own(header, 'alg')
  if (typeof alg !== 'string') return JWT_STATUS.headerBadAlg
  if (!ALGORITHMS.has(alg)) return JWT_STATUS.headerUnknownAlg
  const kid = own(header, 'kid') ?? ''
  if (typeof kid !== 'string') return JWT_STATUS.headerBadKid
  if (!isBase64Url(payloadText)) return JWT_STATUS.payloadBadBase64
  const payload = objectOf(payloadText)
  if (payload === undefined) return JWT_STATUS.payloadBadJson
  const wrong = wrongClaim(payload)
  if (wrong !== undefined) return wrong
  if (!isBase64Url(signatureText)) return JWT_STATUS.signatureBadBase64
  const audience = own(payload, 'aud') ?? []
  return {
    text,
    alg,
    kid,
    header,
    payload,
    payloadText,
    issuer: (own(payload, 'iss') ?? '') as string,
    audiences: (typeof audience === 'string' ? [audience] : audience) as string[],
    notBefore: secondsOf(payload, 'nbf'),
    expires: secondsOf(payload, 'exp'),
  }
}

function wrongClaim(payload: JsonObject): JwtStatus | undefined {
  if (!isStringOrAbsent(own(payload, 'iss'))) return JWT_STATUS.issNotString
  if (!isStringOrAbsent(own(payload, 'sub'))) return JWT_STATUS.subNotString
  const wrongTime =
    wrongNumber(own(payload, 'iat'), JWT_STATUS.iatNotInteger, JWT_STATUS.iatOutOfRange) ??
    wrongNumber(own(payload, 'nbf'), JWT_STATUS.nbfNotInteger, JWT_STATUS.nbfOutOfRange) ??
    wrongNumber(own(payload, 'exp'), JWT_STATUS.expNotInteger, JWT_STATUS.expOutOfRange)
  if (wrongTime !== undefined) return wrongTime
  if (!isStringOrAbsent(own(payload, 'jti'))) return JWT_STATUS.jtiNotString
  const audience = own(payload, 'aud')
  const isList = Array.isArray(audience) && audience.every((one) => typeof one === 'string')
  return isList || isStringOrAbsent(audience) ? undefined : JWT_STATUS.audNotStrings
}

function isStringOrAbsent(value: JsonValue | undefined): boolean {
  return value === undefined || typeof value === 'string'
}

function wrongNumber(value: JsonValue | undefined, notInteger: JwtStatus, outOfRange: JwtStatus) {
  if (value === undefined) return undefined
  if (typeof value !== 'number') return notInteger
  return value >= 0 && value < MAX_UINT64 ? undefined : outOfRange
}

function secondsOf(payload: JsonObject, claim: string): number {
  return Math.trunc((own(payload, claim) ?? 0) as number)
}

/** A claim is what the token itself says, and nothing that all objects have. */
export function own(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined
}

function isBase64Url(text: string): boolean {
  return BASE64URL.test(text) && text.length % 4 !== 1
}

function objectOf(base64: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch {
    return undefined
  }
}
